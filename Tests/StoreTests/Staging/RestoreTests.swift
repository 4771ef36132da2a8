import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct RestoreTests {
    private let fixture: StoreFixture
    private let first: Version
    private let second: Version

    private var store: Store { fixture.store }
    private var workspace: Workspace { fixture.workspace }

    /// Two versions that differ in a file, a directory, and what only one of them has.
    init() throws {
        fixture = try StoreFixture([
            "data/x/1": [1], "data/x/2": [2], "data/same": [3], "model": [4], "only/first": [5],
        ])
        first = try fixture.commit()
        try fixture.write("data/x/1", [11])
        try fixture.remove("data/x/2")
        try fixture.write("model", [44])
        try fixture.remove("only")
        try fixture.write("new", [6])
        second = try fixture.commit()
    }

    private func restore(_ paths: TreePath..., from version: Version? = nil, force: Bool = false) throws {
        try store.restore(version ?? first, paths: paths, into: workspace, force: force)
    }

    @Test func `a file comes back as a reference`() throws {
        try restore("model")
        #expect(try fixture.stagedBytes("model") == [4])
        #expect(try store.stagedCount(workspace).bytes == 0)
        let third = try fixture.commit()
        #expect(try store.entry(at: "model", of: third) == store.entry(at: "model", of: first))
        #expect(third.newBlobs == 0)
    }

    @Test func `a directory comes back whole at the cost of one`() throws {
        try restore("data/x")
        #expect(try fixture.staged("data") == ["data/same", "data/x/", "data/x/1", "data/x/2"])
        #expect(try fixture.stagedBytes("data/x/1") == [1])
        #expect(try fixture.files(below: "workspaces/main/upper") == [])
        let third = try fixture.commit()
        #expect(try store.entry(at: "data/x", of: third) == store.entry(at: "data/x", of: first))
        #expect(try store.entry(at: "model", of: third) == store.entry(at: "model", of: second))
    }

    @Test func `the root is everything`() throws {
        try restore(.root)
        #expect(try fixture.staged().contains("only/first"))
        #expect(try !fixture.staged().contains("new"))
        let third = try fixture.commit()
        #expect(third.manifest.root == first.manifest.root)
        #expect(third.manifest.parent == second.digest)
    }

    @Test func `directories above a path that staging lacks are made as the version has them`() throws {
        let only = try store.entry(at: "only", of: first)
        try restore("only/first")
        let third = try fixture.commit()
        let restored = try store.entry(at: "only", of: third)
        #expect(restored == only)
    }

    @Test func `restoring what the base has takes the staged entry away`() throws {
        try fixture.write("model", [99])
        try restore("model", from: second, force: true)
        #expect(try fixture.files(below: "workspaces/main/upper") == [])
        try fixture.remove("data")
        try restore("data", from: second, force: true)
        #expect(try fixture.staged("data") == ["data/same", "data/x/", "data/x/1"])
        #expect(code { try fixture.commit() } == .nothingToCommit)
    }

    @Test func `staged changes at or below the path are not lost unless it is told to`() throws {
        try fixture.write("data/x/staged", [7])
        let refused = error { try restore("model", "data") }
        #expect(refused?.code == .stagedChanges)
        #expect(refused?.subject == "data")
        #expect(code { try restore(.root) } == .stagedChanges)
        #expect(try fixture.stagedBytes("data/x/staged") == [7])
        #expect(try fixture.stagedBytes("model") == [44])
        try restore("model")
        try restore("data", force: true)
        #expect(try fixture.staged("data") == ["data/same", "data/x/", "data/x/1", "data/x/2"])
    }

    @Test func `a path the version lacks is refused with similar names, and nothing changes`() throws {
        let unknown = error { try restore("model", "data/sane") }
        #expect(unknown?.code == .unknownPath)
        #expect(unknown?.hint == "did you mean data/same?")
        #expect(code { try restore("model/below") } == .unknownPath)
        #expect(code { try restore("data", "data/nope") } == .unknownPath)
        #expect(try fixture.stagedBytes("model") == [44])
    }

    @Test func `a path below a staged file is refused`() throws {
        try fixture.remove("data")
        try fixture.write("data", [1])
        let refused = error { try restore("data/x/1", force: true) }
        #expect(refused?.code == .invalidInput)
        #expect(refused?.hint == "restore or remove data first")
    }

    @Test func `who is told of what changed is told with the gate closed`() throws {
        var told: [TreePath] = []
        try store.restore(
            first, paths: ["model", "data", "data/x"], into: workspace, force: false,
            replaced: { told = $0 })
        #expect(told == ["data", "model"])
    }

    @Test func `directories that are laid over the base keep their inode numbers`() throws {
        try restore("data/x/1")
        let mark = try workspace.overlay.probe(try workspace.place(["data"].map { FileName($0) }))?.mark
        #expect(mark?.inode == InodeNumber.first(FileName(literal: "data"), in: InodeNumber.staging))
    }

    @Test func `a restored directory can be written to`() throws {
        try restore("data/x")
        try fixture.write("data/x/3", [33])
        try fixture.remove("data/x/1")
        let third = try fixture.commit()
        #expect(
            try fixture.paths(of: third) == [
                "data", "data/same", "data/x", "data/x/2", "data/x/3", "model", "new",
            ])
    }

    @Test func `a restore that fails leaves the path as it was, and nothing behind`() throws {
        for verb in [FaultPoint.Verb.rename, .exchange] {
            fixture.faults.fail(at: FaultPoint(verb, in: "place(_:in:at:_:_:)"), with: .noSpace)
            fixture.faults.fail(at: FaultPoint(verb, in: "remove(_:from:)"), with: .noSpace)
        }
        fixture.faults.during {
            #expect(code { try restore("model") } == .system(.noSpace))
            #expect(code { try restore("data") } == .system(.noSpace))
            #expect(code { try restore("only/first") } == .system(.noSpace))
        }
        fixture.faults.clear()
        #expect(try fixture.stagedBytes("model") == [44])
        #expect(try fixture.stagedBytes("data/x/1") == [11])
        #expect(try fixture.files(below: "tmp") == [])
        try restore("model")
    }

    @Test(.enabled(if: TestHost.isRoot)) func `every kind of entry comes back`() throws {
        try fixture.makeSymlink("kinds/link", to: "target")
        try fixture.makeSpecial("kinds/pipe", .fifo)
        try fixture.makeSpecial("kinds/disk", .blockDevice, device: 0x801)
        let with = try fixture.commit()
        try fixture.remove("kinds")
        try fixture.commit()
        try restore("kinds/link", "kinds/pipe", "kinds/disk", from: with)
        let again = try fixture.commit()
        #expect(try store.entry(at: "kinds", of: again).tree == store.entry(at: "kinds", of: with).tree)
    }
}

@Suite struct AbortTests {
    @Test func `abort leaves the base and nothing else`() throws {
        let fixture = try StoreFixture(["a": [1], "b/c": [2]])
        let version = try fixture.commit()
        try fixture.write("a", [9])
        try fixture.remove("b")
        try fixture.write("d/e", [3])
        var wasTold = false
        try fixture.store.abort(fixture.workspace) { wasTold = true }
        #expect(wasTold)
        #expect(try fixture.staged() == ["a", "b/", "b/c"])
        #expect(try fixture.stagedBytes("a") == [1])
        #expect(fixture.workspace.generation == 2)
        #expect(fixture.workspace.baseVersion == version.digest)
        #expect(code { try fixture.commit() } == .nothingToCommit)
        try fixture.reopen()
        #expect(try fixture.staged() == ["a", "b/", "b/c"])
    }

    @Test func `abort before the first version leaves nothing`() throws {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.store.abort(fixture.workspace)
        #expect(try fixture.staged() == [])
        try fixture.write("b", [1])
        #expect(try fixture.paths(of: try fixture.commit()) == ["b"])
    }

    @Test func `an abort that fails before the exchange changes nothing`() throws {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.commit()
        try fixture.write("a", [2])
        fixture.faults.fail(at: FaultPoint(.exchange, in: "swapToNext(_:syncs:)"), with: .ioError)
        fixture.faults.during {
            #expect(code { try fixture.store.abort(fixture.workspace) } == .system(.ioError))
        }
        fixture.faults.clear()
        #expect(try fixture.stagedBytes("a") == [2])
        #expect(try fixture.commit().number == VersionNumber(2))
    }
}
