import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct VerifyTests {
    private let fixture: StoreFixture

    /// Two versions; both have `shared`, as two names of one blob.
    init() throws {
        fixture = try StoreFixture(["a/file": [1, 1], "a/shared": [2], "b/also": [2]])
        try fixture.commit()
        try fixture.write("a/file", [3, 3, 3])
        try fixture.commit()
    }

    private func objectPath(_ bytes: [UInt8]) -> String {
        fixture.appending("objects/\(BlobStore.path(Digest.of(bytes)).display)")
    }

    private func overwrite(_ path: String, with bytes: [UInt8]) throws {
        try #require(chmod(path, 0o644) == 0)
        let file = try #require(fopen(path, "w"))
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    private func problems(deep: Bool = true) throws -> [String] {
        try fixture.store.verify(deep: deep).problems.map { problem in
            let uses = problem.uses.map { "\($0.version):\($0.path.display)" }
            return ([problem.kind.rawValue] + uses).joined(separator: " ")
        }
    }

    @Test func `a sound store is clean, and everything in it was looked at`() throws {
        let report = try fixture.store.verify()
        #expect(report.isClean)
        #expect(report.versions == 2)
        #expect(report.blobs == 3)
        #expect(report.bytes == 6)
        // Two roots, two forms of a, one of b.
        #expect(report.nodes == 5)
    }

    @Test func `a damaged object is named with every version and path it shows at`() throws {
        try overwrite(objectPath([2]), with: [7])
        #expect(
            try problems() == [
                "damaged v000001:a/shared v000001:b/also v000002:a/shared v000002:b/also"
            ])
        #expect(try problems(deep: false) == [])
    }

    @Test func `a missing object and one of the wrong size are told apart`() throws {
        unlink(objectPath([1, 1]))
        try overwrite(objectPath([3, 3, 3]), with: [3, 3])
        #expect(try Set(problems()) == ["missing v000001:a/file", "wrong_size v000002:a/file"])
        #expect(try Set(problems(deep: false)) == ["missing v000001:a/file", "wrong_size v000002:a/file"])
    }

    @Test func `a damaged tree node is named by where its directory is`() throws {
        let second = try #require(try fixture.store.latest())
        let tree = try #require(try fixture.store.entry(at: "a", of: second).tree)
        try fixture.sql("UPDATE nodes SET bytes = x'00' WHERE digest = x'\(tree.hex)'")
        try fixture.reopen()
        #expect(try problems() == ["node v000002:a"])
    }

    @Test func `a missing tree node and a damaged object are both found`() throws {
        let second = try #require(try fixture.store.latest())
        let tree = try #require(try fixture.store.entry(at: "a", of: second).tree)
        try fixture.sql("DELETE FROM nodes WHERE digest = x'\(tree.hex)'")
        try overwrite(objectPath([2]), with: [7])
        try fixture.reopen()
        #expect(
            try Set(problems()) == [
                "node v000002:a", "damaged v000001:a/shared v000001:b/also v000002:b/also",
            ])
    }

    @Test func `a tree node that says something else of its directory is found`() throws {
        let (sums, _) = try lyingRoot()
        try fixture.reopen()
        let report = try fixture.store.verify()
        #expect(report.problems.map(\.kind) == [.node])
        #expect(report.problems.first?.digest == sums)
    }

    /// Seals a version whose root says that `a` has more bytes than it has.
    private func lyingRoot() throws -> (Digest, Version) {
        let second = try #require(try fixture.store.latest())
        var entries = try fixture.store.trees.entries(in: try #require(second.manifest.root.tree))
        entries[0].size += 1
        let node = TreeNode.leaf(entries)
        let digest = Digest.of(node.encoded())
        var root = second.manifest.root
        root.content = .tree(digest, files: root.files)
        root.size = node.bytes
        let manifest = Manifest(
            root: root, parent: second.digest, time: fixture.clock.now(), author: "", message: "")
        let version = try fixture.store.catalog.commit(
            Catalog.Commit(
                manifest: manifest, nodes: [digest: node.encoded()], blobs: .init(), newBytes: 0, tags: [],
                movesTags: false, pins: false))
        return (digest, version)
    }

    @Test func `a manifest that was edited is found, and the other versions are looked at`() throws {
        try fixture.sql("UPDATE versions SET manifest = x'00' WHERE number = 1")
        try overwrite(objectPath([2]), with: [7])
        #expect(
            try problems() == ["manifest v000001:", "damaged v000002:a/shared v000002:b/also"])
    }

    @Test func `a parent that came later is found`() throws {
        try fixture.sql("UPDATE versions SET number = 7 WHERE number = 1")
        #expect(try problems() == ["chain v000002:"])
    }

    @Test func `a reader verifies beside the owner`() throws {
        try overwrite(objectPath([1, 1]), with: [8, 8])
        let report = try fixture.reader().verify()
        #expect(report.problems.map(\.kind) == [.damaged])
    }

    @Test func `a version that is forgotten meanwhile hurts nobody`() throws {
        unlink(objectPath([1, 1]))
        let (store, isDone) = (fixture.store, Lock(false))
        let progress = Progress { _, _ in
            // When the trees have been looked at and before the objects are.
            if isDone.withLock({ $0 }) { return }
            isDone.withLock { $0 = true }
            try? store.forget(versions: [VersionNumber(1)])
        } onAdvance: { _ in
        }
        #expect(try store.verify(progress: progress).isClean)
        #expect(try store.versions().count == 1)
    }

    @Test func `du takes its sums from the trees`() throws {
        let second = try #require(try fixture.store.latest())
        let usage = try fixture.store.usage(second, .root)
        #expect(usage.map { "\($0.path.display) \($0.files) \($0.bytes)" } == ["a 2 4", "b 1 1", " 3 5"])
        #expect(code { _ = try fixture.store.usage(second, "none") } == .unknownPath)
    }
}
