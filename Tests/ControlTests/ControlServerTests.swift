import Foundation
import Store
import SystemPackage
import TestSupport
import Testing

@testable import Control

@Suite struct ControlServerTests {
    /// A store with a server, as inside a daemon.
    private final class Served {
        let fixture: StoreFixture
        let server: ControlServer

        init(_ fixture: StoreFixture, _ hooks: MountHooks = .none) throws {
            self.fixture = fixture
            server = ControlServer(
                Engine(store: fixture.store, workspace: fixture.workspace, hooks: hooks))
            try server.start()
        }

        deinit { server.stop() }

        var socketPath: String { fixture.appending("control.sock") }

        /// Says `bytes` as no client of ours would, and returns everything that is answered.
        func say(_ bytes: [UInt8]) throws -> String {
            let connection = try ControlSocket.connect(to: fixture.path)
            try ControlSocket.send(connection.fd, bytes)
            var answer: [UInt8] = []
            while true {
                let more = try ControlSocket.receive(connection.fd, countMax: 65_536)
                if more.isEmpty { return String(decoding: answer, as: UTF8.self) }
                answer += more
            }
        }
    }

    @Test func `an archive to be imported comes along as an open file`() throws {
        let served = try Served(try StoreFixture())
        let source = TestDirectory()
        _ = try Shell.run(
            "/bin/sh", "-ec", "cd '\(source.path)'; mkdir in; printf hello > in/file; mkfifo pipe")
        // From a pipe, so that nothing but the descriptor itself leads to it.
        let writer = try RunningProcess([
            "/bin/tar", "-C", source.appending("in"), "-cf", source.appending("pipe"), ".",
        ])
        defer { withExtendedLifetime(writer) {} }
        let pipe = try Syscall.open(at: AT_FDCWD, RawPath(source.appending("pipe")), O_RDONLY)
        var request = ImportRequest(source: Array("-".utf8), isArchive: true, target: "in", commit: nil)
        let outcome = try ControlClient.perform(.importTree(request), at: served.fixture.path, input: pipe)
        #expect(outcome?["imported"]["files"].integer == 1)
        #expect(try served.fixture.stagedBytes("in/file") == Array("hello".utf8))
        // One that speaks of a file and passes none, and one that passes a file nobody asked for.
        request.isForced = true
        #expect {
            try ControlClient.perform(.importTree(request), at: served.fixture.path)
        } throws: { ($0 as? StoreError)?.code == .invalidInput }
        #expect(
            try ControlClient.perform(.status(listsChanges: false), at: served.fixture.path, input: pipe)
                != nil)
    }

    @Test func `a request is performed by the daemon and its result comes back`() throws {
        let served = try Served(try StoreFixture(["a": [1]]))
        let outcome = try ControlClient.perform(.commit(CommitRequest()), at: served.fixture.path)
        #expect(outcome?["version"]["version"].string == "v000001")
        #expect(outcome?["version"]["author"].string == Caller.current.author)
        #expect(try served.fixture.store.versions().count == 1)
    }

    @Test func `a refusal reads the same as without a daemon`() throws {
        func refusal(_ path: String) -> StoreError? {
            do throws(StoreError) {
                _ = try ControlRequest.commit(CommitRequest()).perform(at: path)
                return nil
            } catch { return error }
        }
        let fixture = try StoreFixture()
        var served: Served? = try Served(fixture)
        let asked = served.flatMap { refusal($0.fixture.path) }
        // The last reference to the store goes with it.
        served = nil
        try fixture.close()
        let owned = refusal(fixture.path)
        #expect(asked?.code == .nothingToCommit)
        #expect(asked?.description == owned?.description)
        #expect(asked?.code == owned?.code)
    }

    @Test func `progress is streamed`() throws {
        let bytes = [UInt8](repeating: 7, count: 8 << 20)
        let served = try Served(try StoreFixture(["a": bytes]))
        let phases = Lock([String]())
        let progress = Progress(
            onBegin: { phase, total in phases.withLock { $0.append("\(phase) \(total)") } },
            onAdvance: { _ in })
        _ = try ControlClient.perform(.commit(CommitRequest()), at: served.fixture.path, progress: progress)
        #expect(phases.withLock { $0 }.contains("hashing \(bytes.count)"))
    }

    @Test func `without a daemon there is nobody to ask`() throws {
        let fixture = try StoreFixture()
        #expect(try ControlClient.perform(.abort, at: fixture.path) == nil)
    }

    @Test func `a dead daemon's socket is nobody, and is replaced`() throws {
        let fixture = try StoreFixture(["a": [1]])
        _ = try ControlSocket.listen(in: fixture.path)
        #expect(try ControlClient.perform(.abort, at: fixture.path) == nil)
        let served = try Served(fixture)
        #expect(try ControlClient.perform(.status(listsChanges: false), at: fixture.path) != nil)
        withExtendedLifetime(served) {}
    }

    @Test func `the socket is its owner's alone and goes with the server`() throws {
        let served = try Served(try StoreFixture())
        let mode = try Syscall.stat(at: AT_FDCWD, RawPath(served.socketPath)).st_mode
        #expect(mode & 0o777 == 0o600)
        served.server.stop()
        #expect(try Syscall.statIfPresent(at: AT_FDCWD, RawPath(served.socketPath)) == nil)
    }

    @Test func `a server without room for its socket says so, and begins when there is some`() throws {
        let fixture = try StoreFixture()
        let server = ControlServer(Engine(store: fixture.store, workspace: fixture.workspace))
        defer { server.stop() }
        let reports = Lock([StoreError?]())
        // Only for this thread: there is room when another tries.
        fixture.faults.fail(at: FaultPoint(.unlink, in: "listen(in:)"), with: .noSpace)
        try fixture.faults.during {
            try server.startWhenThereIsRoom { error in reports.withLock { $0.append(error) } }
        }
        let deadline = ContinuousClock.now + .seconds(10)
        while reports.withLock({ $0.count }) < 2, ContinuousClock.now < deadline { usleep(2_000) }
        #expect(reports.withLock { $0.map { $0?.errno } } == [.noSpace, nil])
        #expect(try ControlClient.perform(.status(listsChanges: false), at: fixture.path) != nil)
    }

    @Test func `a server that was stopped does not begin to listen`() throws {
        let fixture = try StoreFixture()
        let server = ControlServer(Engine(store: fixture.store, workspace: fixture.workspace))
        server.stop()
        try server.start()
        #expect(
            try Syscall.statIfPresent(at: AT_FDCWD, RawPath(fixture.appending("control.sock"))) == nil)
        server.stop()
    }

    @Test(arguments: ["\n", "hello\n", "{}\n", "{\"protocol\":99,\"verb\":\"abort\"}\n", "\u{0}\u{1}\n"])
    func `nonsense is answered with an error`(text: String) throws {
        let served = try Served(try StoreFixture())
        let answer = try served.say(Array(text.utf8))
        #expect(answer.hasPrefix("{\"error\":{\"code\":\"invalid_input\""))
        #expect(answer.hasSuffix("\n"))
    }

    @Test func `a line without an end is cut off`() throws {
        let served = try Served(try StoreFixture())
        let connection = try ControlSocket.connect(to: served.fixture.path)
        let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 65_536)
        var sent = 0
        // The daemon stops reading at its limit and closes; then a write fails.
        while sent < 64 << 20, (try? ControlSocket.send(connection.fd, chunk)) != nil { sent += chunk.count }
        #expect(sent < 8 << 20)
        #expect(try ControlClient.perform(.status(listsChanges: false), at: served.fixture.path) != nil)
    }

    @Test func `a request that is too long is not sent`() throws {
        let served = try Served(try StoreFixture(["a": [1]]))
        var request = CommitRequest()
        request.message = String(repeating: "x", count: ControlRequest.byteCountMax)
        #expect {
            try ControlClient.perform(.commit(request), at: served.fixture.path)
        } throws: { ($0 as? StoreError)?.code == .invalidInput }
    }

    @Test func `a silent connection does not keep the server from stopping`() throws {
        let served = try Served(try StoreFixture())
        let connections = try (0..<5).map { _ in try ControlSocket.connect(to: served.fixture.path) }
        _ = try ControlClient.perform(.status(listsChanges: false), at: served.fixture.path)
        let start = ContinuousClock.now
        served.server.stop()
        #expect(.now - start < .seconds(5))
        withExtendedLifetime(connections) {}
    }

    @Test func `a client that goes away does not take its commit along`() throws {
        let served = try Served(try StoreFixture(["a": [UInt8](repeating: 1, count: 4 << 20)]))
        let connection = try ControlSocket.connect(to: served.fixture.path)
        try ControlSocket.send(
            connection.fd, Array((ControlRequest.commit(CommitRequest()).line + "\n").utf8))
        // It has said that it began.
        #expect(try !ControlSocket.receive(connection.fd, countMax: 1).isEmpty)
        ControlSocket.end(connection.fd)
        served.server.stop()
        #expect(try served.fixture.store.versions().count == 1)
    }

    @Test func `many ask at once`() throws {
        let served = try Served(try StoreFixture(["a": [1]]))
        _ = try ControlClient.perform(.commit(CommitRequest()), at: served.fixture.path)
        let failures = Lock([String]())
        let path = served.fixture.path
        DispatchQueue.concurrentPerform(iterations: 24) { index in
            do throws(StoreError) {
                _ = try ControlClient.perform(.tag(name: "t\(index)", version: "1", moves: false), at: path)
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(try served.fixture.store.tags().count == 24)
    }

    @Test func `a store whose path is longer than a socket's address is served`() throws {
        let directory = TestDirectory()
        let path = directory.appending(String(repeating: "long", count: 60))
        try Store.create(at: path, now: TestClock.start)
        let store = try Store.open(at: path, .owning)
        let server = ControlServer(Engine(store: store, workspace: try store.workspace()))
        try server.start()
        #expect(
            try ControlClient.perform(.status(listsChanges: false), at: path)?["store"].string == store.path)
        server.stop()
        try store.close()
    }

    @Test func `another user is refused`() throws {
        guard geteuid() == 0 else { return }
        let served = try Served(try StoreFixture())
        // Open wide what normally keeps others away, so that the daemon's own check is what answers.
        for (path, mode) in [
            (served.fixture.directory.path, 0o755), (served.fixture.path, 0o755), (served.socketPath, 0o666),
        ] { try Syscall.changeMode(at: AT_FDCWD, RawPath(path), mode_t(mode)) }
        let script = """
            import socket, sys
            s = socket.socket(socket.AF_UNIX)
            s.connect(sys.argv[1])
            s.sendall(b'{"protocol":1,"verb":"abort"}\\n')
            print(s.makefile().read())
            """
        let outcome = try Shell.run(
            "/usr/bin/setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", script,
            served.socketPath)
        #expect(outcome.text.contains("\"errno\":13"), "\(String(decoding: outcome.errors, as: UTF8.self))")
    }

    @Test func `a request waits a moment for another owner and then says that it is busy`() throws {
        let fixture = try StoreFixture(["a": [1]])
        #expect {
            try ControlRequest.commit(CommitRequest()).perform(at: fixture.path)
        } throws: { ($0 as? StoreError)?.code == .busy }
        #expect(try StoreOwnership.isOwned(fixture.path))
        #expect(StoreOwnership.owner(fixture.path) == getpid())
        try fixture.close()
        #expect(try !StoreOwnership.isOwned(fixture.path))
        let outcome = try ControlRequest.commit(CommitRequest()).perform(at: fixture.path)
        #expect(outcome["version"]["version"].string == "v000001")
        #expect(try !StoreOwnership.isOwned(fixture.path))
    }
}
