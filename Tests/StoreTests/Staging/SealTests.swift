import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct SealTests {
    private let hello = Array("hello".utf8)

    @Test func `what was staged is what the version holds`() throws {
        let fixture = try StoreFixture(["a/b.bin": hello, "a/c/d": [1, 2, 3], "empty": []])
        let version = try fixture.commit("first") {
            $0.author = "mara"
            $0.metadata.params["lr"] = "3e-4"
        }
        #expect(version.number == VersionNumber(1))
        #expect(try fixture.paths(of: version) == ["a", "a/b.bin", "a/c", "a/c/d", "empty"])
        #expect(try fixture.bytes("a/b.bin", of: version) == hello)
        #expect(try fixture.bytes("empty", of: version) == [])
        #expect(version.files == 3)
        #expect(version.bytes == 8)
        #expect(version.newBytes == 8)
        #expect(version.newBlobs == 3)
        #expect(version.manifest.message == "first")
        #expect(version.manifest.author == "mara")
        #expect(version.manifest.parent == nil)
        #expect(try fixture.store.latest() == version)
    }

    @Test func `a second version shares what did not change and names the first as its parent`() throws {
        let fixture = try StoreFixture(["a/b": hello, "c/d": [1], "e": [2]])
        let first = try fixture.commit()
        try fixture.write("a/b", Array("changed".utf8))
        try fixture.remove("e")
        try fixture.write("c/new", [3])
        let outcome = try fixture.commitOutcome()
        let second = outcome.version
        #expect(second.manifest.parent == first.digest)
        #expect(try fixture.paths(of: second) == ["a", "a/b", "c", "c/d", "c/new"])
        #expect(try fixture.bytes("a/b", of: second) == Array("changed".utf8))
        #expect(try fixture.bytes("a/b", of: first) == hello)
        #expect(try fixture.paths(of: first) == ["a", "a/b", "c", "c/d", "e"])
        #expect(second.newBytes == 8)
        // upper/ held a, a/b, c, c/new and the whiteout.
        #expect(outcome.changedCount == 5)
        #expect(try fixture.staged() == ["a/", "a/b", "c/", "c/d", "c/new"])
    }

    @Test func `after a commit staging is empty over the new version`() throws {
        let fixture = try StoreFixture(["a/b": hello])
        let version = try fixture.commit()
        #expect(try fixture.files(below: "workspaces/main/upper") == [])
        #expect(fixture.workspace.baseVersion == version.digest)
        #expect(fixture.workspace.generation == 2)
        #expect(try fixture.files(below: "tmp") == [])
        #expect(try fixture.store.stagedCount(fixture.workspace) == StagedSummary())
    }

    @Test func `a commit with nothing changed makes no version unless it is told to`() throws {
        let fixture = try StoreFixture()
        let nothing = #expect(throws: StoreError.self) { try fixture.commit() }
        #expect(nothing?.code == .nothingToCommit)
        try fixture.write("a", hello)
        let first = try fixture.commit()
        let unchanged = #expect(throws: StoreError.self) { try fixture.commit() }
        #expect(unchanged?.code == .nothingToCommit)
        try fixture.write("a", [1])
        let place = try fixture.write("a", hello)
        let entry = try fixture.store.entry(at: "a", of: first)
        try Syscall.changeTimes(at: place.fd, place.path, access: nil, modification: .at(entry.mtime))
        let same = #expect(throws: StoreError.self) { try fixture.commit() }
        #expect(same?.code == .nothingToCommit)
        #expect(try fixture.store.versions().count == 1)
        let second = try fixture.commit { $0.allowsEmpty = true }
        #expect(second.number == VersionNumber(2))
        #expect(second.manifest.root.tree == first.manifest.root.tree)
    }

    @Test func `the same bytes are stored once, across files and versions`() throws {
        let fixture = try StoreFixture(["a": hello, "b": hello, "c/d": hello])
        let first = try fixture.commit()
        #expect(first.newBlobs == 1)
        try fixture.write("e", hello)
        let second = try fixture.commit()
        #expect(second.newBlobs == 0)
        #expect(second.newBytes == 0)
        let digest = Digest.of(hello).hex
        #expect(try fixture.files(below: "objects") == ["\(digest.prefix(2))/\(digest.dropFirst(2))"])
    }

    @Test func `an object has the mode 0444 and its digest as its name`() throws {
        let fixture = try StoreFixture()
        try fixture.write("script", hello, mode: 0o755)
        let version = try fixture.commit()
        let status = try #require(try fixture.store.blobs.status(Digest.of(hello)))
        #expect(status.st_mode & 0o7777 == 0o444)
        #expect(status.st_nlink == 1)
        #expect(try fixture.store.entry(at: "script", of: version).mode == 0o755)
    }

    @Test func `a renamed directory of the base costs one entry and keeps all below it`() throws {
        let fixture = try StoreFixture(["data/x/1": [1], "data/x/2": [2], "data/y": [3]])
        let first = try fixture.commit()
        try fixture.rename("data", to: "archive/old")
        let outcome = try fixture.commitOutcome()
        let second = outcome.version
        #expect(
            try fixture.paths(of: second) == [
                "archive", "archive/old", "archive/old/x", "archive/old/x/1", "archive/old/x/2",
                "archive/old/y",
            ])
        let old = try fixture.store.entry(at: "data", of: first)
        let new = try fixture.store.entry(at: "archive/old", of: second)
        #expect(new.tree == old.tree)
        #expect(new.mtime == old.mtime)
        #expect(second.newBlobs == 0)
        // archive, archive/old and the whiteout of data.
        #expect(outcome.changedCount == 3)
    }

    @Test func `an attribute change of a base file is a reference that copies no bytes`() throws {
        let fixture = try StoreFixture(["a": hello])
        try fixture.commit()
        let place = try fixture.upper("a")
        #expect(try Syscall.stat(at: place.fd, place.path).st_size == 0)
        try Syscall.changeMode(at: place.fd, place.path, 0o600)
        let second = try fixture.commit()
        let entry = try fixture.store.entry(at: "a", of: second)
        #expect(entry.mode == 0o600)
        #expect(entry.size == 5)
        #expect(entry.blob == Digest.of(hello))
        #expect(second.newBlobs == 0)
    }

    @Test func `hard links are sealed as entries of one blob`() throws {
        let fixture = try StoreFixture(["a": hello])
        try fixture.link("a", as: "b/c")
        let version = try fixture.commit()
        let entries = try fixture.entries(of: version)
        #expect(entries["a"]?.blob == Digest.of(hello))
        #expect(entries["b/c"]?.blob == Digest.of(hello))
        #expect(version.newBlobs == 1)
        try fixture.write("a", [1])
        let second = try fixture.commit()
        #expect(try fixture.bytes("b/c", of: second) == hello)
    }

    @Test(.enabled(if: TestHost.isRoot)) func `symlinks, fifos, sockets and devices are entries`() throws {
        let fixture = try StoreFixture()
        try fixture.makeSymlink("link", to: "../anywhere")
        try fixture.makeSpecial("pipe", .fifo)
        try fixture.makeSpecial("socket", .socket)
        try fixture.makeSpecial("disk", .blockDevice, device: 0x801)
        let entries = try fixture.entries(of: try fixture.commit())
        #expect(entries["link"]?.content == .target(Array("../anywhere".utf8)))
        #expect(entries["link"]?.size == 11)
        #expect(entries["pipe"]?.kind == .fifo)
        #expect(entries["socket"]?.kind == .socket)
        #expect(entries["disk"]?.content == .device(0x801))
    }

    @Test func `modes, times to the nanosecond and user attributes are sealed`() throws {
        let fixture = try StoreFixture()
        let time = Timestamp(nanoseconds: 1_234_567_890_123_456_789)
        let file = try fixture.write("file", hello, mode: 0o4751)
        try Syscall.setAttribute(at: file.fd, file.path, RawPath("user.origin"), Array("s3://bucket".utf8))
        try Syscall.setAttribute(at: file.fd, file.path, RawPath("user.empty"), [])
        try Syscall.changeMode(at: file.fd, file.path, 0o4751)
        try Syscall.changeTimes(at: file.fd, file.path, access: nil, modification: .at(time))
        let directory = try fixture.makeDirectory("directory")
        try Syscall.changeMode(at: directory.fd, directory.path, 0o2775)
        try Syscall.setAttribute(
            at: directory.fd, directory.path, RawPath("user.kind"), Array("dataset".utf8))
        try Syscall.changeTimes(at: directory.fd, directory.path, access: nil, modification: .at(time))
        let entries = try fixture.entries(of: try fixture.commit())
        let sealed = try #require(entries["file"])
        #expect(sealed.mode == 0o4751)
        #expect(sealed.mtime == time)
        #expect(
            sealed.xattrs == [
                ExtendedAttribute(name: Array("user.empty".utf8), value: []),
                ExtendedAttribute(name: Array("user.origin".utf8), value: Array("s3://bucket".utf8)),
            ])
        #expect(entries["directory"]?.mode == 0o2775)
        #expect(entries["directory"]?.mtime == time)
        #expect(entries["directory"]?.xattrs.map(\.value) == [Array("dataset".utf8)])
    }

    @Test func `a sparse file stays sparse`() throws {
        let fixture = try StoreFixture()
        let place = try fixture.write("sparse", [])
        try fixture.edit(place) { fd in
            try Syscall.truncate(fd, to: 64 << 20)
            _ = try hello.withUnsafeBytes { try Syscall.write(fd, $0, at: 32 << 20) }
        }
        let version = try fixture.commit()
        let digest = try #require(try fixture.store.entry(at: "sparse", of: version).blob)
        let status = try #require(try fixture.store.blobs.status(digest))
        #expect(status.st_size == 64 << 20)
        #expect(status.st_blocks < 1024)
    }

    @Test func `what was staged is read where it was until the mount has taken the seal over`() throws {
        let fixture = try StoreFixture(["a/b": hello])
        let workspace = fixture.workspace
        let generation = workspace.generation
        let isThere = { () throws in
            let place = try workspace.place((["a/b"] as [TreePath])[0].names)
            return try Syscall.statIfPresent(at: place.fd, place.path) != nil
        }
        var seen: [Bool] = []
        _ = try fixture.store.commit(workspace, CommitRequest()) { _ throws(StoreError) in
            seen = [(try? isThere()) ?? false, workspace.generation == generation]
            workspace.showSwapped()
            seen += [(try? isThere()) ?? true, workspace.generation == generation]
        }
        #expect(seen == [true, true, false, false])
    }

    @Test func `a file that is written to and closed between two looks at it is sealed as it is then`() throws
    {
        let fixture = try StoreFixture()
        let place = try fixture.write("log", hello)
        let more = hello + [1, 2, 3]
        // It has been found, and is about to be asked for its users.
        fixture.faults.once(at: FaultPoint(.open, in: "openForReading(_:)")) {
            guard let file = try? Syscall.open(at: place.fd, place.path, O_WRONLY) else { return }
            _ = try? [UInt8]([1, 2, 3]).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 5) }
            withExtendedLifetime(file) {}
        }
        var walk = SealWalk(fixture.workspace, fixture.store, .include)
        let root = try fixture.faults.during { try walk.run() }
        let entry = try #require(try walk.trees.entry(at: "log", below: root))
        #expect(entry.blob == Digest.of(more))
        #expect(entry.size == 8)
        #expect(walk.sum.fresh.referenced == [Digest.of(more): 8])
    }

    @Test func `a file with two names, closed while it is sealed, is no object under one of them`() throws {
        let fixture = try StoreFixture()
        let place = try fixture.write("a", hello)
        try fixture.link("a", as: "b")
        let (inode, tracker) = (try Syscall.stat(at: place.fd, place.path).st_ino, fixture.workspace.tracker)
        tracker.opened(UInt64(inode))
        // The copy of the first name's bytes is about to become an object.
        fixture.faults.once(at: FaultPoint(.link, in: "adopt(_:as:)")) { tracker.closed(UInt64(inode)) }
        let outcome = try fixture.commitOutcome()
        #expect(outcome.kept.map(\.display).sorted() == ["a", "b"])
        try fixture.edit(try fixture.upper("a")) { fd in
            _ = try Array("HELLO".utf8).withUnsafeBytes { try Syscall.write(fd, $0, at: 0) }
        }
        #expect(try fixture.bytes("a", of: outcome.version) == hello)
        #expect(try fixture.bytes("b", of: outcome.version) == hello)
        #expect(try fixture.stagedBytes("b") == Array("HELLO".utf8))
    }

    @Test func `names may be any bytes, and 255 of them`() throws {
        let fixture = try StoreFixture()
        let raw = FileName(unchecked: [0xff, 0xfe, 0x0a, 0x80])
        let long = FileName(unchecked: Array(repeating: 0xe9, count: 255))
        try fixture.write(TreePath(names: [raw, long]), hello)
        let version = try fixture.commit()
        #expect(try fixture.bytes(TreePath(names: [raw, long]), of: version) == hello)
        try fixture.remove(TreePath(names: [raw, long]))
        let second = try fixture.commit()
        #expect(try fixture.entries(of: second).keys.map(\.names) == [[raw]])
    }

    @Test func `a path of more than 4,096 bytes can be sealed`() throws {
        let fixture = try StoreFixture()
        let name = FileName(unchecked: Array(repeating: UInt8(ascii: "d"), count: 250))
        let path = TreePath(names: Array(repeating: name, count: 40))
        try fixture.write(path, hello)
        #expect(try fixture.bytes(path, of: try fixture.commit()) == hello)
    }

    @Test func `a directory that replaces a file, and a file that replaces a directory`() throws {
        let fixture = try StoreFixture(["a": hello, "b/c": [1]])
        try fixture.commit()
        try fixture.remove("a")
        try fixture.write("a/inner", [2])
        try fixture.write("b", [3])
        let second = try fixture.commit()
        #expect(try fixture.paths(of: second) == ["a", "a/inner", "b"])
    }

    @Test func `a new directory of an old name shows nothing of the old one`() throws {
        let fixture = try StoreFixture(["a/b": hello, "a/c": [1]])
        try fixture.commit()
        try fixture.remove("a")
        try fixture.write("a/d", [2])
        #expect(try fixture.staged() == ["a/", "a/d"])
        #expect(try fixture.paths(of: try fixture.commit()) == ["a", "a/d"])
    }

    @Test func `a version number is not used again`() throws {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.commit()
        for byte: UInt8 in 2...4 {
            try fixture.write("a", [byte])
            try fixture.commit()
        }
        #expect(try fixture.store.versions().map(\.number.value) == [1, 2, 3, 4])
    }
}
