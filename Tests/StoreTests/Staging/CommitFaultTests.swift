import Dispatch
import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// A commit that fails, or whose process dies, at any of the points its durability hangs on.
@Suite struct CommitFaultTests {
    private static let hashing = FaultPoint(.open, in: "openForReading(_:)")
    private static let linking = FaultPoint(.link, in: "adopt(_:as:)")
    private static let syncingAll = FaultPoint(.syncFilesystem, in: "sync(_:isWhole:)")
    private static let syncingNames = FaultPoint(.sync, in: "sync(directoriesOf:)")
    private static let committing = FaultPoint(.commit, in: "store(_:)")
    private static let swapping = FaultPoint(.exchange, in: "swapToNext(_:syncs:)")
    static let beforeCommit = [hashing, linking, syncingAll, syncingNames, committing]

    private let fixture: StoreFixture
    /// What `staging` shows before the commit and must show after one that failed.
    private let staged: [String]
    /// The backing file of `kept/open`.
    private let openInode: UInt64

    /// A version, and over it a new, a changed and a removed file, two names of one file, a reference, and a file
    /// that is open for writing.
    init() throws {
        fixture = try StoreFixture(["kept/a": [1], "changed": [2], "removed": [3], "touched": [4]])
        try fixture.commit()
        try fixture.write("changed", [5, 5])
        try fixture.remove("removed")
        try fixture.write("new/file", [6, 6, 6])
        try fixture.link("new/file", as: "new/link")
        let reference = try fixture.upper("touched")
        try Syscall.changeMode(at: reference.fd, reference.path, 0o600)
        let open = try fixture.write("kept/open", [7])
        openInode = UInt64(try Syscall.stat(at: open.fd, open.path).st_ino)
        fixture.workspace.tracker.opened(openInode)
        staged = try fixture.staged()
    }

    /// Directories are synced one by one only where no file stays staged; otherwise the filesystem is.
    private func closeFiles(for point: FaultPoint) {
        if point == Self.syncingNames { fixture.workspace.tracker.closed(openInode) }
    }

    private func expectStaged(_ fixture: StoreFixture, sealed: Bool = false) throws {
        #expect(try fixture.staged() == staged)
        #expect(try fixture.stagedBytes("changed") == [5, 5])
        #expect(try fixture.stagedBytes("new/link") == [6, 6, 6])
        #expect(try fixture.stagedBytes("kept/open") == [7])
        if sealed { return }
        let place = try fixture.workspace.place([FileName("new"), FileName("file")])
        #expect(try Syscall.stat(at: place.fd, place.path).st_nlink == 2)
        let changed = try fixture.workspace.place([FileName("changed")])
        #expect(try Syscall.stat(at: changed.fd, changed.path).st_nlink == 1)
    }

    private func expectVersion(_ version: Version, of fixture: StoreFixture) throws {
        #expect(version.number == VersionNumber(2))
        #expect(
            try fixture.paths(of: version) == [
                "changed", "kept", "kept/a", "kept/open", "new", "new/file", "new/link", "touched",
            ])
        #expect(try fixture.bytes("changed", of: version) == [5, 5])
        #expect(try fixture.bytes("new/link", of: version) == [6, 6, 6])
        #expect(try fixture.bytes("kept/open", of: version) == [7])
        #expect(try fixture.store.verify().isClean)
    }

    @Test(arguments: beforeCommit, [Errno.noSpace, .ioError])
    func `a failure before the commit point changes nothing, and the next commit works`(
        point: FaultPoint, errno: Errno
    ) throws {
        closeFiles(for: point)
        fixture.faults.fail(at: point, with: errno)
        #expect(code { try fixture.commit() } == .system(errno))
        #expect(fixture.faults.reached.contains(point))
        fixture.faults.clear()
        #expect(try fixture.store.versions().count == 1)
        try expectStaged(fixture)
        if errno == .ioError, point == Self.syncingAll || point == Self.syncingNames {
            // Not before somebody has looked at the disk.
            #expect(code { try fixture.commit() } == .system(.ioError))
            try fixture.reopen()
        }
        // A staged file that is changed now must not change an object.
        try fixture.edit(try fixture.workspace.place([FileName("changed")])) { fd in
            _ = try [UInt8]([9, 9]).withUnsafeBytes { try Syscall.write(fd, $0, at: 0) }
        }
        try fixture.write("changed", [5, 5])
        try expectVersion(try fixture.commit(), of: fixture)
    }

    @Test(arguments: beforeCommit)
    func `a process that dies before the commit point leaves staged files and orphans`(
        point: FaultPoint
    ) throws {
        let crashed = try snapshot(at: point)
        #expect(try crashed.store.versions().count == 1)
        try expectStaged(crashed, sealed: true)
        try expectVersion(try crashed.commit(), of: crashed)
        _ = try crashed.store.collectGarbage()
        #expect(try crashed.store.verify().isClean)
        #expect(try crashed.files(below: "tmp") == [])
    }

    @Test func `names in objects are taken back at the next start, whatever else lies there`() throws {
        let objects = fixture.appending("objects")
        _ = try Shell.run("/bin/sh", "-c", "mkdir '\(objects)/lost+found'; echo > '\(objects)/note'")
        let crashed = try snapshot(at: Self.committing)
        try expectStaged(crashed)
        _ = try crashed.store.collectGarbage()
    }

    @Test func `what an abort has begun is not taken for a seal`() throws {
        let (workspace, wasSealing) = (fixture.workspace, Lock([Bool]()))
        let look: @Sendable () -> Void = {
            let answer = try? Workspace.wasSealing(workspace.mark, in: workspace.directory)
            if let answer { wasSealing.withLock { $0.append(answer) } }
        }
        fixture.faults.once(at: Self.swapping, look)
        try fixture.faults.during { try fixture.store.abort(workspace) }
        #expect(wasSealing.withLock { $0 } == [false])
        try fixture.write("new", [1])
        fixture.faults.once(at: Self.swapping, look)
        try fixture.commit()
        #expect(wasSealing.withLock { $0 } == [false, true])
    }

    @Test func `a process that dies after the commit point has committed`() throws {
        let crashed = try snapshot(at: Self.swapping)
        try expectVersion(try #require(try crashed.store.latest()), of: crashed)
        // Only the file that was open is still staged.
        #expect(try crashed.files(below: "workspaces/main/upper") == ["kept/open"])
        #expect(try crashed.staged() == staged)
        #expect(crashed.workspace.generation == 3)
        #expect(code { try crashed.commit() } == .nothingToCommit)
        try crashed.write("more", [8])
        #expect(try crashed.commit().number == VersionNumber(3))
    }

    /// The store as a process leaves it that dies when `point` is reached.
    private func snapshot(at point: FaultPoint) throws -> StoreFixture {
        let copy = Lock<String?>(nil)
        nonisolated(unsafe) let fixture = fixture
        closeFiles(for: point)
        fixture.faults.once(at: point) { copy.withLock { $0 = try? fixture.snapshot() } }
        try fixture.commit()
        return try StoreFixture(opening: try #require(copy.withLock { $0 }))
    }

    @Test func `a swap that fails stops changes until a restart has finished it`() throws {
        fixture.faults.fail(at: Self.swapping, with: .ioError)
        #expect(code { try fixture.commit() } == .system(.ioError))
        fixture.faults.clear()
        let stuck = error { try fixture.commit() }
        #expect(stuck?.code == .damaged)
        #expect(stuck?.hint.contains("mount again") == true)
        #expect(code { try fixture.store.abort(fixture.workspace) } == .damaged)
        // What it refers to is safe meanwhile.
        _ = try fixture.store.collectGarbage()
        try fixture.reopen()
        try expectVersion(try #require(try fixture.store.latest()), of: fixture)
        #expect(try fixture.files(below: "workspaces/main/upper") == ["kept/open"])
    }

    @Test func `what a crash in the middle of a swap left is cleared away`() throws {
        try fixture.commit()
        let next = fixture.appending("workspaces/main/next")
        try fixture.close()
        _ = try Shell.run(
            "/bin/sh", "-c", "mkdir -p '\(next)/a/b'; : > '\(next)/a/file'; : > '\(fixture.path)/tmp/t1'")
        try fixture.open()
        #expect(try fixture.files(below: "workspaces/main") == ["upper/kept/open"])
        #expect(try fixture.files(below: "tmp") == [])
        #expect(try fixture.staged() == staged)
    }

    @Test func `a second commit is refused while one runs`() throws {
        let second = Lock<StoreError?>(nil)
        let (store, workspace) = (fixture.store, fixture.workspace)
        fixture.faults.once(at: Self.committing) {
            do { _ = try store.commit(workspace, .empty) } catch {
                second.withLock { $0 = error as? StoreError }
            }
        }
        try fixture.commit()
        #expect(second.withLock { $0 }?.code == .busy)
        #expect(try store.versions().count == 2)
    }

    @Test func `a file that vanishes while the others are hashed is not there`() throws {
        let path = fixture.appending("workspaces/main/upper/new/vanishing")
        try fixture.write("new/vanishing", [8])
        fixture.faults.once(at: Self.hashing) { unlink(path) }
        try expectVersion(try fixture.commit(), of: fixture)
    }

    @Test func `a small file that changes just before it is hashed has the attributes of that moment`() throws
    {
        let place = try fixture.write("new/changing", [1])
        // As somebody does of whom the store is not told. Where it fails the version has other bytes than are expected.
        fixture.faults.once(at: Self.hashing) {
            guard let file = try? Syscall.open(at: place.fd, place.path, O_WRONLY) else { return }
            _ = try? [UInt8]([2, 3]).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
        }
        let version = try fixture.commit()
        #expect(try fixture.bytes("new/changing", of: version) == [2, 3])
        #expect(try fixture.entries(of: version)["new/changing"]?.size == 2)
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a file is waited for that another thread has a lease on`() throws {
        let place = try fixture.write("new/leased", [1])
        // Who breaks a lease has its holder sent SIGIO.
        signal(SIGIO, SIG_IGN)
        // F_SETLEASE, which Glibc's module leaves out.
        let (setLease, unlock): (Int32, Int32) = (1024, Int32(F_UNLCK))
        let other = try Syscall.open(at: place.fd, place.path, O_RDONLY)
        try #require(fcntl(other.fd, setLease, Int32(F_WRLCK)) == 0)
        let isOpen = Lock(false)
        let (begun, opened) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        Thread.detachNewThread { [workspace = fixture.workspace] in
            begun.signal()
            // What goes wrong shows in `isOpen`.
            let file = try? workspace.openForReading(place)
            isOpen.withLock { $0 = file != nil }
            opened.signal()
        }
        begun.wait()
        #expect(opened.wait(timeout: .now() + .milliseconds(100)) == .timedOut)
        #expect(fcntl(other.fd, setLease, unlock) == 0)
        #expect(opened.wait(timeout: .now() + .seconds(30)) == .success)
        #expect(isOpen.withLock { $0 })
        withExtendedLifetime(other) {}
    }

    @Test func `a swap that cannot be made durable stops changes until a restart has finished it`() throws {
        fixture.faults.fail(at: FaultPoint(.sync, in: "syncSwap(_:)"), with: .ioError)
        let version = try fixture.commit()
        fixture.faults.clear()
        #expect(code { try fixture.commit() } == .damaged)
        try fixture.reopen()
        try expectVersion(version, of: fixture)
        try fixture.write("more", [8])
        #expect(try fixture.commit().number > version.number)
    }

    @Test func `a file that changes while it is hashed is hashed again`() throws {
        // A small one is hashed in passing.
        let size = 300_000
        let place = try fixture.write("new/changing", Array(repeating: 1, count: size))
        let isChanged = Lock(false)
        let progress = Progress { _, _ in
        } onAdvance: { count in
            guard count == size, !isChanged.withLock({ $0 }) else { return }
            isChanged.withLock { $0 = true }
            guard let file = try? Syscall.open(at: place.fd, place.path, O_WRONLY) else { return }
            _ = try? [UInt8]([2]).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
            withExtendedLifetime(file) {}
        }
        let version = try fixture.store.commit(fixture.workspace, CommitRequest(), progress: progress).version
        #expect(isChanged.withLock { $0 })
        #expect(
            try fixture.bytes("new/changing", of: version) == [2] + Array(repeating: 1, count: size - 1))
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a copy-up that fails leaves the reference as it was`() throws {
        let place = try fixture.upper("kept/a")
        let overlay = fixture.workspace.overlay
        let upper = try #require(try overlay.probe(place))
        let reference = try #require(upper.reference)
        fixture.faults.fail(at: FaultPoint(.share, in: "share(_:to:)"), with: .noSpace)
        let failed = error {
            let file = try Syscall.open(at: place.fd, place.path, O_RDWR)
            try fixture.faults.during {
                try overlay.fill(file, from: reference, mark: upper.mark, subject: "kept/a")
            }
        }
        #expect(failed?.code == .system(.noSpace))
        fixture.faults.clear()
        #expect(try fixture.stagedBytes("kept/a") == [1])
        let file = try Syscall.open(at: place.fd, place.path, O_RDWR)
        try overlay.fill(file, from: reference, mark: upper.mark, subject: "kept/a")
        #expect(try overlay.probe(place)?.reference == nil)
        #expect(try fixture.stagedBytes("kept/a") == [1])
    }

    @Test(.enabled(if: TestHost.isRoot, "mounts a small filesystem"))
    func `a full disk fails the commit and loses nothing`() throws {
        let directory = TestDirectory()
        try #require(mount("firn-test", directory.path, "tmpfs", 0, "size=2m") == 0)
        defer { umount2(directory.path, 2) }
        let fixture = try StoreFixture(["a": [1]], at: directory.appending("store"))
        try fixture.commit()
        let files = (0..<40).map { TreePath(names: [FileName("many"), FileName("\($0)")]) }
        for (number, path) in files.enumerated() { try fixture.write(path, [2, UInt8(number)]) }
        let staged = try fixture.staged()
        _ = try Shell.run("/bin/dd", "if=/dev/zero", "of=\(directory.path)/filler", "bs=1k")
        #expect(code { try fixture.commit() } == .system(.noSpace))
        #expect(try fixture.staged() == staged)
        #expect(try fixture.store.versions().count == 1)
        unlink(directory.appending("filler"))
        let version = try fixture.commit()
        #expect(version.files == 41)
        #expect(try fixture.store.verify().isClean)
        try fixture.close()
    }
}
