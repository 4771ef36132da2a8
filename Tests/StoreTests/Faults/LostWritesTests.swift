import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// The kernel tells once that it could not write; what was staged by then is sealed as fresh copies.
@Suite struct LostWritesTests {
    private let fixture: StoreFixture
    private let syncing = FaultPoint(.sync, in: "sync(_:isWhole:)")
    private let committing = FaultPoint(.commit, in: "store(_:)")

    init() throws {
        fixture = try StoreFixture(["sealed": [1]])
        try fixture.commit()
        try fixture.write("a", [1, 2, 3])
    }

    /// The inode of a file of the store.
    private func inode(_ name: String) throws -> UInt64? {
        try Syscall.statIfPresent(at: AT_FDCWD, RawPath(fixture.appending(name))).map { UInt64($0.st_ino) }
    }

    private func object(_ bytes: [UInt8]) throws -> UInt64? {
        try inode("objects/\(BlobStore.path(Digest.of(bytes)).display)")
    }

    @Test func `after an I/O error commits are refused until the next start, which writes all anew`() throws {
        let staged = try inode("workspaces/main/upper/a")
        fixture.faults.fail(at: syncing, with: .ioError)
        #expect(code { try fixture.commit() } == .system(.ioError))
        fixture.faults.clear()
        let refused = error { try fixture.commit() }
        #expect(refused?.code == .system(.ioError))
        #expect(refused?.hint.contains("mount again") == true)
        #expect(try fixture.stagedBytes("a") == [1, 2, 3])
        try fixture.reopen()
        let version = try fixture.commit()
        #expect(try fixture.bytes("a", of: version) == [1, 2, 3])
        #expect(try object([1, 2, 3]) != staged)
        // From then on it is as before.
        #expect(try inode("unsynced") == nil)
        try fixture.write("b", [4, 5])
        let next = try inode("workspaces/main/upper/b")
        try fixture.commit()
        #expect(try object([4, 5]) == next)
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `after a disk that was full the next commit writes all anew`() throws {
        let staged = try inode("workspaces/main/upper/a")
        fixture.faults.fail(at: syncing, with: .noSpace)
        #expect(code { try fixture.commit() } == .system(.noSpace))
        fixture.faults.clear()
        let version = try fixture.commit()
        #expect(try fixture.bytes("a", of: version) == [1, 2, 3])
        #expect(try object([1, 2, 3]) != staged)
        #expect(try inode("unsynced") == nil)
    }

    @Test func `a program's own fsync that fails counts`() throws {
        let failed = #expect(throws: Errno.self) {
            try fixture.store.lostWrites.watching { () throws(Errno) in throw .ioError }
        }
        #expect(failed == .ioError)
        #expect(code { try fixture.commit() } == .system(.ioError))
        try fixture.reopen()
        try fixture.commit()
    }

    /// Where it had been asked whether bytes were lost before, and where not.
    @Test(arguments: [false, true])
    func `bytes that are lost while a version is made are sealed as copies`(isSealing: Bool) throws {
        let staged = try inode("workspaces/main/upper/a")
        let (faults, lostWrites) = (fixture.faults, fixture.store.lostWrites)
        let marking = FaultPoint(.setAttribute, in: "mark(_:at:_:)")
        // `next/` is marked before names are given, and again when it is known what it lies over.
        faults.once(at: marking) {
            let lose: @Sendable () -> Void = {
                // The program's own error, which is not looked at here.
                try? lostWrites.watching { () throws(Errno) in throw .noSpace }
            }
            if isSealing { faults.once(at: marking, lose) } else { lose() }
        }
        if isSealing {
            #expect(code { try fixture.commit() } == .system(.noSpace))
            #expect(try fixture.stagedBytes("a") == [1, 2, 3])
        }
        let version = try fixture.commit()
        #expect(try fixture.bytes("a", of: version) == [1, 2, 3])
        #expect(try object([1, 2, 3]) != staged)
        #expect(try inode("unsynced") == nil)
        #expect(fixture.faults.reached.contains(FaultPoint(.sync, in: "sync(directoriesOf:)")))
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `files that stay open keep the mark until they are sealed themselves`() throws {
        fixture.faults.fail(at: FaultPoint(.syncFilesystem, in: "sync(_:isWhole:)"), with: .noSpace)
        let (inode, tracker) = (try #require(try inode("workspaces/main/upper/a")), fixture.workspace.tracker)
        tracker.opened(inode)
        #expect(code { try fixture.commit() } == .system(.noSpace))
        fixture.faults.clear()
        #expect(try fixture.commitOutcome().kept == ["a"])
        tracker.closed(inode)
        #expect(try self.inode("unsynced") != nil)
        // Already an object; what is staged need not become one.
        try fixture.write("b", [7])
        #expect(try fixture.commitOutcome().kept == [])
        #expect(try self.inode("unsynced") == nil)
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a commit that may have been stored keeps its objects, and staging waits for the next start`()
        throws
    {
        fixture.faults.fail(at: committing, with: .ioError)
        fixture.faults.fail(at: FaultPoint(.commit, in: "settle()"), with: .ioError)
        #expect(code { try fixture.commit() } == .system(.ioError))
        fixture.faults.clear()
        #expect(try object([1, 2, 3]) == inode("workspaces/main/upper/a"))
        #expect(code { try fixture.commit() } == .damaged)
        // Another transaction decides that it was not stored; staging has not changed meanwhile.
        try fixture.store.setPinned(VersionNumber(1), true)
        try fixture.reopen()
        #expect(try fixture.store.versions().count == 1)
        #expect(try fixture.stagedBytes("a") == [1, 2, 3])
        try fixture.commit()
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a COMMIT that failed is not there, and objects go with it`() throws {
        fixture.faults.fail(at: committing, with: .ioError)
        #expect(code { try fixture.commit() } == .system(.ioError))
        #expect(fixture.faults.reached.contains(FaultPoint(.committed, in: "settle()")))
        fixture.faults.clear()
        #expect(try object([1, 2, 3]) == nil)
        try fixture.commit()
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `an error after COMMIT is no failure`() throws {
        fixture.faults.fail(at: FaultPoint(.committed, in: "store(_:)"), with: .ioError)
        #expect(try fixture.commit().number == VersionNumber(2))
        #expect(try fixture.files(below: "workspaces/main/upper") == [])
    }

    @Test func `a damaged object is mended by who stages its bytes, also where the commit fails`() throws {
        let object = fixture.appending("objects/\(BlobStore.path(Digest.of([1])).display)")
        chmod(object, 0o600)
        truncate(object, 0)
        try fixture.write("again", [1])
        fixture.faults.fail(at: committing, with: .noSpace)
        #expect(code { try fixture.commit() } == .system(.noSpace))
        fixture.faults.clear()
        #expect(try fixture.bytes("sealed", of: try fixture.store.resolve("1")) == [1])
        #expect(try self.object([1]) != inode("workspaces/main/upper/again"))
        #expect(try fixture.store.verify().isClean)
        try fixture.commit()
        #expect(try fixture.store.verify().isClean)
    }
}

/// A clock that is set back.
@Suite struct ClockTests {
    @Test func `versions stay in order of time, and policies forget none for being young`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let first = try fixture.commit()
        fixture.clock.set(Timestamp(nanoseconds: TestClock.start.nanoseconds - 86_400_000_000_000))
        try fixture.write("a", [2])
        let second = try fixture.commit()
        try fixture.write("a", [3])
        let third = try fixture.commit()
        #expect(second.manifest.time == first.manifest.time)
        #expect(third.manifest.time == first.manifest.time)
        // By date the newest is the one that was made last.
        let end = Timestamp(nanoseconds: first.manifest.time.nanoseconds + 1)
        #expect(try fixture.store.find(VersionSelector(.atTime(end: end)))?.number == third.number)
        var policy = RetentionPolicy()
        policy.keepLast = 1
        #expect(try fixture.store.planForget(policy).kept == [third.number])
        // Once the clock is right again it counts again.
        fixture.clock.set(Timestamp(nanoseconds: TestClock.start.nanoseconds + 86_400_000_000_000))
        try fixture.write("a", [4])
        #expect(try fixture.commit().manifest.time > third.manifest.time)
        #expect(try fixture.store.verify().isClean)
    }
}
