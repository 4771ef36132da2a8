import Dispatch
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// Files that a program can still write to when a version is sealed.
@Suite struct OpenFilesTests {
    private let fixture: StoreFixture
    private var tracker: WriteTracker { fixture.workspace.tracker }

    init() throws {
        fixture = try StoreFixture(["dir/base": [1], "other": [2]])
        try fixture.commit()
    }

    /// Stages a file and holds it open as a mount does.
    private func open(_ path: TreePath, _ bytes: [UInt8]) throws -> (place: Place, inode: UInt64) {
        let place = try fixture.write(path, bytes)
        let inode = UInt64(try Syscall.stat(at: place.fd, place.path).st_ino)
        tracker.opened(inode)
        return (place, inode)
    }

    private func commit(_ policy: OpenFilesPolicy) throws -> CommitOutcome {
        try fixture.commitOutcome { $0.openFiles = policy }
    }

    @Test func `included, its bytes are sealed by copy and the file stays staged`() throws {
        let (_, inode) = try open("dir/sub/log", [3, 3])
        let outcome = try commit(.include)
        #expect(outcome.kept == ["dir/sub/log"])
        #expect(outcome.version.manifest.openAtSeal == [.init(path: "dir/sub/log", isTorn: false)])
        #expect(try fixture.bytes("dir/sub/log", of: outcome.version) == [3, 3])
        // The same file, in directories that lie over the new version.
        let place = try fixture.workspace.place(["dir", "sub", "log"].map { FileName($0) })
        let status = try Syscall.stat(at: place.fd, place.path)
        #expect(UInt64(status.st_ino) == inode)
        #expect(status.st_nlink == 1)
        #expect(try fixture.staged() == ["dir/", "dir/base", "dir/sub/", "dir/sub/log", "other"])
        #expect(code { _ = try commit(.include) } == .nothingToCommit)
        // The program goes on, in the same file.
        try fixture.edit(place) { fd in
            _ = try [UInt8]([4]).withUnsafeBytes { try Syscall.write(fd, $0, at: 2) }
        }
        tracker.closed(inode)
        let next = try commit(.include)
        #expect(next.kept == [])
        #expect(try fixture.bytes("dir/sub/log", of: next.version) == [3, 3, 4])
        #expect(try fixture.bytes("dir/sub/log", of: outcome.version) == [3, 3])
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a commit that fails leaves an open file with one name`() throws {
        let (place, _) = try open("log", [1])
        fixture.faults.fail(at: FaultPoint(.begin, in: "store(_:)"), with: .ioError)
        #expect(code { _ = try commit(.include) } != nil)
        #expect(try Syscall.stat(at: place.fd, place.path).st_nlink == 1)
    }

    @Test func `a file that changes while it is captured is recorded as torn`() throws {
        let (place, _) = try open("log", [3])
        fixture.faults.once(at: FaultPoint(.link, in: "adopt(_:as:)")) {
            guard let file = try? Syscall.open(at: place.fd, place.path, O_WRONLY) else { return }
            _ = try? [UInt8]([4]).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 1) }
            withExtendedLifetime(file) {}
        }
        let outcome = try commit(.include)
        #expect(outcome.version.manifest.openAtSeal == [.init(path: "log", isTorn: true)])
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `a file of two names is captured once for both`() throws {
        let (place, _) = try open("log", [3])
        try fixture.link("log", as: "other-name")
        fixture.faults.once(at: FaultPoint(.link, in: "adopt(_:as:)")) {
            guard let file = try? Syscall.open(at: place.fd, place.path, O_WRONLY) else { return }
            _ = try? [UInt8]([4]).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 1) }
            withExtendedLifetime(file) {}
        }
        let version = try commit(.include).version
        #expect(
            version.manifest.openAtSeal == [
                .init(path: "log", isTorn: true), .init(path: "other-name", isTorn: true),
            ])
        #expect(try fixture.bytes("log", of: version) == fixture.bytes("other-name", of: version))
        #expect(version.newBlobs == 1)
    }

    @Test func `skipped, the version has what the base has and the file stays staged`() throws {
        let (_, changed) = try open("dir/base", [3])
        let (_, new) = try open("dir/new/log", [4])
        try fixture.write("closed", [5])
        let outcome = try commit(.skip)
        #expect(outcome.kept.sorted() == ["dir/base", "dir/new/log"])
        #expect(try fixture.bytes("dir/base", of: outcome.version) == [1])
        #expect(
            try fixture.paths(of: outcome.version) == ["closed", "dir", "dir/base", "dir/new", "other"])
        #expect(outcome.version.manifest.openAtSeal == [])
        #expect(try fixture.stagedBytes("dir/base") == [3])
        #expect(try fixture.stagedBytes("dir/new/log") == [4])
        tracker.closed(changed)
        tracker.closed(new)
        let next = try commit(.skip).version
        #expect(try fixture.bytes("dir/base", of: next) == [3])
        #expect(try fixture.bytes("dir/new/log", of: next) == [4])
    }

    @Test func `nothing but skipped files is nothing to commit`() throws {
        _ = try open("dir/base", [3])
        #expect(code { _ = try commit(.skip) } == .nothingToCommit)
        #expect(try fixture.stagedBytes("dir/base") == [3])
    }

    @Test func `fail refuses, and names the file`() throws {
        let (_, inode) = try open("log", [3])
        let refused = error { _ = try commit(.fail) }
        #expect(refused?.code == .filesOpen)
        #expect(refused?.subject == "log")
        tracker.closed(inode)
        #expect(try commit(.fail).version.number == VersionNumber(2))
    }

    @Test func `wait goes on when the file is closed, and fails when its time is over`() throws {
        let (_, inode) = try open("log", [3])
        #expect(code { _ = try commit(.wait(seconds: 0)) } == .filesOpen)
        let tracker = tracker
        DispatchQueue.global().async { tracker.closed(inode) }
        #expect(try commit(.wait(seconds: 60)).kept == [])
    }

    @Test func `a file that is open behind the mount's back is known to be`() throws {
        let place = try fixture.write("log", [3])
        try fixture.edit(place) { fd in
            #expect(code { _ = try commit(.fail) } == .filesOpen)
            let outcome = try commit(.include)
            #expect(outcome.kept == ["log"])
            _ = try [UInt8]([9]).withUnsafeBytes { try Syscall.write(fd, $0, at: 0) }
            #expect(try fixture.bytes("log", of: outcome.version) == [3])
        }
    }

    @Test func `a mapping that can write outlives its descriptor and counts`() throws {
        let place = try fixture.write("mapped", Array(repeating: 3, count: 4096))
        var mapped: UnsafeMutableRawPointer?
        try fixture.edit(place) { fd in
            mapped = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
        }
        let memory = try #require(mapped == MAP_FAILED ? nil : mapped)
        let outcome = try commit(.include)
        #expect(outcome.kept == ["mapped"])
        memory.storeBytes(of: 9, as: UInt8.self)
        munmap(memory, 4096)
        #expect(try fixture.bytes("mapped", of: outcome.version).first == 3)
        #expect(try fixture.store.verify().isClean)
        let next = try commit(.include)
        #expect(next.kept == [])
        #expect(try fixture.bytes("mapped", of: next.version).first == 9)
    }

    @Test func `hard links of an open file stay links of one file`() throws {
        let (_, inode) = try open("a", [3])
        try fixture.link("a", as: "dir/b")
        let outcome = try commit(.include)
        #expect(outcome.kept.sorted() == ["a", "dir/b"])
        for names in [["a"], ["dir", "b"]] {
            let place = try fixture.workspace.place(names.map { FileName($0) })
            let status = try Syscall.stat(at: place.fd, place.path)
            #expect(UInt64(status.st_ino) == inode)
            #expect(status.st_nlink == 2)
        }
    }

    @Test func `policies are read as they are typed`() {
        #expect(OpenFilesPolicy("wait=5") == .wait(seconds: 5))
        #expect(OpenFilesPolicy("wait") == .wait(seconds: 60))
        #expect(OpenFilesPolicy("skip") == .skip)
        #expect(OpenFilesPolicy("wait=-1") == nil)
        #expect(OpenFilesPolicy("other") == nil)
    }

    @Test func `a file that is only read is sealed by copy, and stays the readers' file`() throws {
        let place = try fixture.write("log", [3])
        let inode = try Syscall.stat(at: place.fd, place.path).st_ino
        let reader = try Syscall.open(at: place.fd, place.path, O_RDONLY)
        let outcome = try commit(.fail)
        #expect(outcome.kept == [])
        #expect(outcome.version.manifest.openAtSeal == [])
        #expect(try fixture.bytes("log", of: outcome.version) == [3])
        // Nothing is staged, though the file is there.
        #expect(try fixture.store.stagedChanges(fixture.workspace) == [])
        #expect(code { _ = try commit(.include) } == .nothingToCommit)
        let kept = try Syscall.stat(at: fixture.workspace.upper.fd, RawPath("log"))
        #expect(kept.st_ino == inode && kept.st_nlink == 1)
        // As long as it is read.
        _ = try fixture.commit { $0.allowsEmpty = true }
        #expect(try Syscall.stat(at: fixture.workspace.upper.fd, RawPath("log")).st_ino == inode)
        withExtendedLifetime(reader) {}
        try fixture.reopen()
        #expect(try fixture.stagedBytes("log") == [3])
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `files that are read are copied up to a limit, and linked beyond it`() throws {
        let size = Int(SealWalk.copyByteCountMax) / 2 + 1
        var readers: [Descriptor] = []
        for (index, name) in ["a", "b"].enumerated() {
            let place = try fixture.write(TreePath(names: [FileName(name)]), [UInt8(index)])
            try fixture.edit(place) { fd in try Syscall.truncate(fd, to: size) }
            readers.append(try Syscall.open(at: place.fd, place.path, O_RDONLY))
        }
        let outcome = try commit(.include)
        #expect(outcome.version.newBlobs == 2)
        let names = try fixture.files(below: "workspaces/main/upper")
        let sharesBlocks = names.count == 2
        #expect(names.count == 1 || sharesBlocks)
        // Each holds its own bytes still.
        for (index, reader) in readers.enumerated() {
            var first: UInt8 = 9
            #expect(pread(reader.fd, &first, 1, 0) == 1 && first == UInt8(index))
        }
        #expect(try fixture.store.verify().isClean)
    }
}
