import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct GarbageTests {
    @Test func `what versions refer to stays, to the last byte`() throws {
        let fixture = try StoreFixture(["a/b": [1], "c": [2], "empty": []])
        let first = try fixture.commit()
        try fixture.write("a/b", [3])
        let second = try fixture.commit()
        let before = try fixture.files(below: "objects")
        let summary = try fixture.store.collectGarbage()
        #expect(summary.blobs == 0)
        #expect(summary.bytes == 0)
        #expect(summary.keptBlobs == 4)
        #expect(try fixture.files(below: "objects") == before)
        #expect(try fixture.store.verify().isClean)
        #expect(try fixture.bytes("a/b", of: first) == [1])
        #expect(try fixture.bytes("a/b", of: second) == [3])
    }

    @Test func `what only forgotten versions had goes, and a dry run says so before`() throws {
        let fixture = try StoreFixture(["a": [1], "shared": [2]])
        try fixture.commit()
        try fixture.write("a", [3])
        let second = try fixture.commit()
        try fixture.store.forget(versions: [VersionNumber(1)])
        let dry = try fixture.store.collectGarbage(dryRun: true)
        #expect(dry.blobs == 1)
        #expect(dry.nodes == 1)
        #expect(dry.bytes == 4096)
        #expect(try fixture.files(below: "objects").count == 3)
        #expect(try fixture.store.collectGarbage() == dry)
        #expect(try fixture.files(below: "objects").count == 2)
        #expect(try fixture.store.blobs.status(Digest.of([1])) == nil)
        #expect(try fixture.paths(of: second) == ["a", "shared"])
        #expect(try fixture.store.verify().isClean)
        #expect(try fixture.store.collectGarbage().blobs == 0)
    }

    @Test func `orphans of interrupted commits go`() throws {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.commit()
        let orphan = Digest.of([9]).hex
        let path = fixture.appending("objects/\(orphan.prefix(2))")
        _ = mkdir(path, 0o755)
        try Data([9]).write(to: URL(fileURLWithPath: "\(path)/\(orphan.dropFirst(2))"))
        let summary = try fixture.store.collectGarbage()
        #expect(summary.orphans == 1)
        #expect(summary.blobs == 1)
        #expect(try fixture.files(below: "objects").count == 1)
    }

    @Test func `what is staged keeps what it refers to when its versions are forgotten`() throws {
        let fixture = try StoreFixture(["dir/a": [1], "dir/b": [2], "file": [3], "other": [4]])
        let first = try fixture.commit()
        for path: TreePath in ["dir", "file", "other"] { try fixture.remove(path) }
        try fixture.write("new", [5])
        try fixture.commit()
        try fixture.store.restore(first, paths: ["dir", "file"], into: fixture.workspace, force: false)
        try fixture.rename("dir", to: "deep/er/dir")
        try fixture.store.forget(versions: [VersionNumber(1)])
        let summary = try fixture.store.collectGarbage()
        #expect(summary.blobs == 1)
        #expect(try fixture.store.blobs.status(Digest.of([4])) == nil)
        #expect(try fixture.stagedBytes("deep/er/dir/a") == [1])
        let third = try fixture.commit()
        #expect(try fixture.bytes("deep/er/dir/b", of: third) == [2])
        #expect(try fixture.bytes("file", of: third) == [3])
        #expect(try fixture.store.verify().isClean)
    }

    @Test func `the empty directory survives, so that a workspace can start over it`() throws {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.commit()
        _ = try fixture.store.collectGarbage()
        let other = try fixture.store.workspace("other")
        let version = try fixture.store.commit(other, .empty).version
        #expect(try fixture.paths(of: version) == [])
    }

    @Test func `a tree that cannot be read stops the collection before anything is removed`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let version = try fixture.commit()
        let tree = try #require(version.manifest.root.tree)
        try fixture.sql("DELETE FROM nodes WHERE digest = x'\(tree.hex)'")
        #expect(code { _ = try fixture.store.collectGarbage() } == .damaged)
        #expect(try fixture.files(below: "objects").count == 1)
    }

    @Test func `a crash between rows and files leaves orphans for the next collection`() throws {
        let fixture = try StoreFixture(["a": [1], "b": [2]])
        try fixture.commit()
        try fixture.write("a", [3])
        try fixture.remove("b")
        try fixture.commit()
        try fixture.store.forget(versions: [VersionNumber(1)])
        fixture.faults.fail(at: FaultPoint(.unlink, in: "remove(_:)"), with: .ioError, after: 1)
        fixture.faults.during {
            #expect(code { _ = try fixture.store.collectGarbage() } == .system(.ioError))
        }
        fixture.faults.clear()
        try fixture.reopen()
        #expect(try fixture.store.verify().isClean)
        #expect(try fixture.store.collectGarbage().orphans == 1)
        #expect(try fixture.files(below: "objects").count == 1)
    }

    @Test func `nothing else runs at the same time`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let store = fixture.store
        let busy = error {
            try store.exclusively("commit") { () throws(StoreError) in _ = try store.collectGarbage() }
        }
        #expect(busy?.code == .busy)
        #expect(busy?.message == "a commit is running")
    }
}
