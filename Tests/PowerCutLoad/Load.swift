internal import CRecorder
internal import Glibc
internal import Objects
internal import Store
internal import SystemPackage
internal import TestSupport

/// Everything that a store's owner does to the disk, one after another, with a word in the record of what must be
/// true from each moment on.
final class Load {
    let path: String
    private let source: TestDirectory
    private var expectation = Expectation()
    private(set) var fixture: StoreFixture
    private var generator: SeededGenerator

    /// Makes the store: `firn init`.
    init(storeAt path: String, seed: UInt64) throws {
        self.path = path
        generator = SeededGenerator(seed: seed)
        source = TestDirectory()
        expectation.phase = "init"
        Load.say(expectation)
        fixture = try StoreFixture(at: path)
        expectation.isStore = true
        expectation.staging = [""]
        Load.say(expectation)
    }

    private static func say(_ expectation: Expectation) { firn_recorder_mark(expectation.encoded) }

    private func say(_ phase: String, _ change: (inout Expectation) -> Void = { _ in }) {
        expectation.phase = phase
        change(&expectation)
        Load.say(expectation)
    }

    // MARK: Staging

    /// Bytes that no other file has.
    func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    /// Changes staging without any promise.
    func stage(_ body: (StoreFixture) throws -> Void) throws {
        say("staging") {
            $0.staging = nil
            $0.paths = [:]
        }
        try body(fixture)
    }

    /// Everything staged so far becomes durable, as by `sync`.
    func settle() throws {
        try syncFilesystem()
        let contents = try fixture.stagedContents()
        say("settled") {
            $0.staging = [contents]
            $0.paths = [:]
        }
    }

    private func syncFilesystem() throws {
        let top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        try Syscall.syncFilesystem(top.fd)
    }

    /// Makes a staged file durable as a careful program does: the file, and the directories that lead to it.
    func sync(_ path: TreePath) throws {
        let place = try fixture.upper(path)
        let file = try Syscall.openForReading(place)
        try Syscall.sync(file.fd)
        for depth in (0..<path.names.count).reversed() {
            let directory = try Syscall.openDirectory(try fixture.workspace.place(path.names.prefix(depth)))
            try Syscall.sync(directory.fd)
        }
        try saySynced(path)
    }

    /// What staging shows at `path` is durable from now on.
    func saySynced(_ path: TreePath) throws {
        let contents = try fixture.stagedContents(at: path)
        say("synced \(path.display)") { $0.paths[path.display] = contents }
    }

    // MARK: Verbs

    /// - Parameter skipped: paths that are to stay out of the version.
    func commit(
        _ message: String, skipping skipped: Set<String> = [],
        _ configure: (inout CommitRequest) -> Void = { _ in }
    ) throws {
        let staged = try fixture.stagedContents()
        let sealed = try fixture.stagedContents(skipping: skipped)
        let number = (expectation.versions.keys.max() ?? 0) + 1
        sayCommitting(number, as: sealed, staged, "commit \(message)")
        let version = try fixture.commit(message, configure)
        guard version.number.value == number else { throw Errno.invalidArgument }
        sayCommitted(number, as: sealed, staged, "committed \(message)")
    }

    /// A commit during which a program goes on as soon as it can: the new staging has been put in place, which is not
    /// durable yet, and the program makes a file in it that is.
    func commit(_ message: String, meanwhile path: TreePath) throws {
        let staged = try fixture.stagedContents()
        let number = (expectation.versions.keys.max() ?? 0) + 1
        sayCommitting(number, as: staged, staged, "commit \(message)")
        let failure = Lock<(any Error)?>(Errno.noSuchFileOrDirectory)
        // The point is reached on this thread, inside the call below.
        nonisolated(unsafe) let load = self
        fixture.faults.once(at: FaultPoint(.sync, in: "syncSwap(_:)")) {
            load.sayCommitted(number, as: staged, staged, "committed \(message)")
            do {
                try load.stage { try $0.write(path, load.bytes(3000)) }
                try load.sync(path)
                failure.withLock { $0 = nil }
            } catch { failure.withLock { $0 = error } }
        }
        try fixture.commit(message)
        if let error = failure.withLock({ $0 }) { throw error }
    }

    /// Until it has an answer a commit may have made its version or not.
    private func sayCommitting(_ number: Int64, as sealed: String, _ staged: String, _ phase: String) {
        say(phase) {
            $0.mayAppear = [number: sealed]
            $0.stagingIfAppeared = staged
        }
    }

    private func sayCommitted(_ number: Int64, as sealed: String, _ staged: String, _ phase: String) {
        say(phase) {
            $0.mayAppear = [:]
            $0.stagingIfAppeared = nil
            $0.versions[number] = sealed
            $0.staging = [staged]
            $0.paths = [:]
        }
    }

    /// A commit that is stored and then interrupted, and the next owner, who finishes it.
    func commitWithoutSwap(_ message: String) throws {
        let staged = try fixture.stagedContents()
        let number = (expectation.versions.keys.max() ?? 0) + 1
        sayCommitting(number, as: staged, staged, "interrupted commit \(message)")
        fixture.faults.fail(at: FaultPoint(.exchange, in: "swapToNext(_:syncs:)"), with: .ioError)
        if (try? fixture.commit(message)) != nil { throw Errno.invalidArgument }
        fixture.faults.clear()
        guard try fixture.store.latest()?.number.value == number else { throw Errno.invalidArgument }
        sayCommitted(number, as: staged, staged, "stored \(message)")
        try reopen()
    }

    /// Runs something that replaces what staging shows in one step.
    func replace(_ phase: String, _ body: (StoreFixture) throws -> Void) throws {
        try settle()
        let before = try fixture.stagedContents()
        // What it leads to is only known afterwards, so it is done on a copy first, out of sight.
        let copy = try fixture.snapshot()
        let after = try Load.outcome(of: body, in: copy)
        say(phase) { $0.staging = [before, after] }
        try body(fixture)
        guard try fixture.stagedContents() == after else { throw Errno.invalidArgument }
        say("done: \(phase)") { $0.staging = [after] }
    }

    private static func outcome(of body: (StoreFixture) throws -> Void, in copy: String) throws -> String {
        let fixture = try StoreFixture(opening: copy)
        try body(fixture)
        return try fixture.stagedContents()
    }

    func forget(_ numbers: [Int64]) throws {
        say("forget \(numbers)") { $0.mayVanish = numbers }
        try fixture.store.forget(versions: numbers.map { VersionNumber($0) })
        say("forgotten \(numbers)") {
            $0.mayVanish = []
            for number in numbers { $0.versions[number] = nil }
        }
    }

    func collectGarbage() throws {
        say("gc")
        _ = try fixture.store.collectGarbage()
        say("collected")
    }

    /// The owner ends and another begins.
    func reopen() throws {
        say("reopen")
        try fixture.reopen()
        say("reopened")
    }

    /// A directory outside of the store, to be imported.
    func outside(_ files: [String: [UInt8]]) throws -> String {
        let directory = source.appending("import-\(generator.next())")
        mkdir(directory, 0o755)
        for (name, bytes) in files.sorted(by: { $0.key < $1.key }) {
            if let slash = name.firstIndex(of: "/") { mkdir("\(directory)/\(name[..<slash])", 0o755) }
            let file = try Syscall.open(
                at: AT_FDCWD, RawPath("\(directory)/\(name)"), O_WRONLY | O_CREAT, mode: 0o644)
            _ = try bytes.withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
        }
        return directory
    }
}
