import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// What a commit notes of numbers, and what becomes of the notes.
@Suite struct InodeNumberTests {
    private let fixture: StoreFixture

    init() throws {
        fixture = try StoreFixture()
    }

    private func notes() throws -> [[UInt64: [FileName: UInt64]]] {
        let directories = try fixture.store.catalog.directoriesWithInodeNumbers()
        return try directories.sorted().map { [$0: try fixture.store.notedNumbers(in: $0)] }
    }

    private func mark(_ path: TreePath, _ number: UInt64) throws {
        let place = try fixture.upper(path)
        let found = try #require(try fixture.workspace.overlay.probe(place))
        let kind = try #require(found.file.kind)
        try fixture.workspace.overlay.mark(place, kind, UpperMark(inode: number, base: found.mark.base))
    }

    @Test func `numbers that follow from names cost nothing`() throws {
        for index in 0..<20 { try fixture.write(TreePath(names: [FileName("\(index)")]), [1]) }
        try fixture.makeDirectory("d")
        try fixture.write("d/f", [2])
        try fixture.commit()
        #expect(try notes().isEmpty)
        #expect(try fixture.store.topNumber(of: fixture.workspace) == InodeNumber.staging)
    }

    @Test func `a number in a mark is noted by the commit, and the note goes with the file`() throws {
        try fixture.makeDirectory("d")
        try fixture.write("d/f", [1])
        try mark("d/f", 77)
        try fixture.commit()
        let directory = InodeNumber.first(FileName("d"), in: InodeNumber.staging)
        #expect(try notes() == [[directory: [FileName("f"): 77]]])
        // The same number again: nothing changes.
        try mark("d/f", 77)
        try fixture.commit("again") { $0.allowsEmpty = true }
        #expect(try notes() == [[directory: [FileName("f"): 77]]])
        // Another one.
        try mark("d/f", 78)
        try fixture.commit("third") { $0.allowsEmpty = true }
        #expect(try notes() == [[directory: [FileName("f"): 78]]])
        try fixture.remove("d/f")
        try fixture.commit()
        #expect(try notes().isEmpty)
    }

    @Test func `a commit that fails notes nothing`() throws {
        try fixture.write("f", [1])
        try mark("f", 77)
        fixture.faults.fail(at: FaultPoint(.commit, in: "store(_:)"), with: .noSpace)
        #expect(throws: StoreError.self) { try fixture.commit() }
        fixture.faults.clear()
        #expect(try notes().isEmpty)
        try fixture.commit()
        #expect(try notes().count == 1)
    }

    @Test func `numbers change no digest`() throws {
        try fixture.write("f", [1])
        let first = try fixture.commit()
        try mark("f", 77)
        let second = try fixture.commit { $0.allowsEmpty = true }
        #expect(first.manifest.root.tree == second.manifest.root.tree)
    }

    @Test func `names of one file get numbers of their own, of which one is the file's`() throws {
        try fixture.write("a", [1])
        try fixture.link("a", as: "b")
        try mark("a", 77)
        try fixture.commit()
        let noted = try fixture.store.notedNumbers(in: InodeNumber.staging)
        #expect(noted.count == 2 && Set(noted.values).count == 2 && noted.values.contains(77))
    }

    @Test func `gc removes notes of directories that are gone, and no others`() throws {
        try fixture.makeDirectory("gone/in")
        try fixture.makeDirectory("stays/in")
        for path: TreePath in ["gone/in/f", "stays/in/f"] {
            try fixture.write(path, [1])
            try mark(path, 77)
        }
        try mark("stays", 78)
        try fixture.commit()
        try fixture.remove("gone")
        try fixture.commit()
        #expect(try notes().count == 3)
        _ = try fixture.store.collectGarbage(dryRun: true)
        #expect(try notes().count == 3)
        _ = try fixture.store.collectGarbage()
        let inner = InodeNumber.first(FileName("in"), in: 78)
        let left = try notes().reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        #expect(left == [InodeNumber.staging: [FileName("stays"): 78], inner: [FileName("f"): 77]])
    }

    @Test func `another tree in the place of everything has other numbers`() throws {
        try fixture.write("f", [1])
        let first = try fixture.commit()
        try fixture.write("f", [2])
        try fixture.commit()
        let workspace = fixture.workspace
        try fixture.store.restore(first, paths: [.root], into: workspace, force: false)
        let top = try fixture.store.topNumber(of: workspace)
        #expect(top != InodeNumber.staging)
        try fixture.commit()
        #expect(try fixture.store.topNumber(of: workspace) == top)
        try fixture.reopen()
        #expect(try fixture.store.topNumber(of: fixture.workspace) == top)
    }

    @Test func `numbers are those of the format's description`() throws {
        #expect(InodeNumber.staging == 0x4eaf_ca88_1941_a0f9)
        #expect(InodeNumber.first(FileName("a"), in: InodeNumber.staging) == 0x231e_e582_55f2_3875)
        #expect(InodeNumber.backed(by: 12, generation: 3) == 0x2e07_1daa_7c3e_0d5b)
        let random = (0..<1000).map { _ in InodeNumber.random() }
        #expect(Set(random).count == 1000)
        #expect(random.allSatisfy { $0 >> 61 == 1 })
    }
}
