import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct StagedChangesTests {
    private func changes(_ fixture: StoreFixture) throws -> [String] {
        try fixture.store.stagedChanges(fixture.workspace).map { "\($0.kind.rawValue) \($0.path.display)" }
    }

    @Test func `everything staged before the first version is new`() throws {
        let fixture = try StoreFixture(["a/b": [1, 2], "c": [3]])
        #expect(try changes(fixture) == ["added a", "added a/b", "added c"])
        var expected = StagedSummary()
        (expected.entries, expected.files, expected.bytes) = (3, 2, 3)
        #expect(try fixture.store.stagedCount(fixture.workspace) == expected)
    }

    @Test func `after a commit nothing is staged, whatever was laid over the base to look at it`() throws {
        let fixture = try StoreFixture(["a/b/c": [1]])
        try fixture.commit()
        _ = try fixture.upper("a/b/c")
        #expect(try fixture.files(below: "workspaces/main/upper") == ["a/b/c"])
        #expect(try changes(fixture) == [])
        #expect(try !fixture.store.hasStagedChanges(fixture.workspace, at: .root))
    }

    @Test func `changed, removed, retyped and touched entries are told apart`() throws {
        let fixture = try StoreFixture(["a/1": [1], "a/2": [2], "b": [3], "c/d": [4], "e": [5]])
        try fixture.commit()
        try fixture.write("a/1", [9])
        try fixture.remove("a/2")
        try fixture.write("b", [3])
        try fixture.remove("c")
        try fixture.write("c", [7])
        let reference = try fixture.upper("e")
        try Syscall.changeMode(at: reference.fd, reference.path, 0o600)
        #expect(
            try changes(fixture) == [
                "changed a/1", "removed a/2", "changed b", "type c", "attributes e",
            ])
        let summary = try fixture.store.stagedCount(fixture.workspace)
        #expect(summary.entries == 5)
        #expect(summary.files == 3)
        #expect(summary.bytes == 3)
    }

    @Test func `a renamed directory is one change, and its old name another`() throws {
        let fixture = try StoreFixture(["data/1": [1], "data/2": [2]])
        try fixture.commit()
        try fixture.rename("data", to: "old")
        #expect(try changes(fixture) == ["removed data", "added old"])
        try fixture.write("old/1", [9])
        #expect(try changes(fixture) == ["removed data", "added old", "changed old/1"])
        #expect(try fixture.store.stagedCount(fixture.workspace).bytes == 1)
    }

    @Test func `a file with several names counts its bytes once`() throws {
        let fixture = try StoreFixture(["a": [1, 2, 3]])
        try fixture.link("a", as: "b")
        let summary = try fixture.store.stagedCount(fixture.workspace)
        #expect(summary.entries == 2)
        #expect(summary.files == 1)
        #expect(summary.bytes == 3)
    }

    @Test func `changes are found at and below a path and not beside it`() throws {
        let fixture = try StoreFixture(["a/b/c": [1], "a/d": [2], "e": [3]])
        try fixture.commit()
        try fixture.write("a/b/c", [9])
        let (store, workspace) = (fixture.store, fixture.workspace)
        for path: TreePath in [.root, "a", "a/b", "a/b/c"] {
            #expect(try store.hasStagedChanges(workspace, at: path), "\(path.display)")
        }
        for path: TreePath in ["a/d", "e", "none", "a/none", "e/none"] {
            #expect(try !store.hasStagedChanges(workspace, at: path), "\(path.display)")
        }
        try fixture.remove("e")
        #expect(try store.hasStagedChanges(workspace, at: "e"))
        try fixture.rename("a", to: "z")
        #expect(try store.hasStagedChanges(workspace, at: "z/d"))
        #expect(try store.hasStagedChanges(workspace, at: "a/d"))
    }

    @Test func `a reader sees what is staged and changes nothing`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let reader = try fixture.reader()
        #expect(try reader.stagedCount(try reader.workspace()).entries == 1)
        #expect(code { _ = try reader.workspace("other") } == .system(.noSuchFileOrDirectory))
        #expect(try fixture.store.workspaceNames() == ["main"])
    }
}
