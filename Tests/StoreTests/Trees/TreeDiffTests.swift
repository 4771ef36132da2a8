import Objects
import TestSupport
import Testing

@testable import Store

@Suite struct TreeDiffTests {
    private let trees = MemoryTrees()

    private func file(_ content: Int) -> TreeEntry { .file(FileName("?"), content) }

    private func diff(_ old: TreeEntry, _ new: TreeEntry) throws -> [String] {
        try TreeDiff(trees.store).differences(from: old, to: new).map {
            "\($0.kind.rawValue) \($0.path.display)"
        }
    }

    @Test func `what was added, removed and changed is named, in order of path`() throws {
        let old = try trees.tree(["a/x": file(1), "a/y": file(2), "b": file(3), "c/d": file(4)])
        let new = try trees.tree(["a/x": file(9), "a/z": file(2), "b": file(3), "e/f": file(4)])
        #expect(
            try diff(old, new) == [
                "changed a/x", "removed a/y", "added a/z", "removed c", "removed c/d", "added e", "added e/f",
            ])
        #expect(try diff(old, old) == [])
    }

    @Test func `a changed type or mode is told from changed bytes`() throws {
        var executable = file(1)
        executable.mode = 0o755
        let old = try trees.tree(["a": file(1), "b": file(2)])
        let new = try trees.tree(["a": executable, "b/c": file(2)])
        #expect(try diff(old, new) == ["attributes a", "type b", "added b/c"])
    }

    @Test func `a directory's time alone is no difference unless it is asked for`() throws {
        let old = try trees.tree(["a": file(1)])
        var new = old
        new.mtime = Timestamp(nanoseconds: 99)
        #expect(try TreeDiff(trees.store).areEqual(old, new))
        let strict = TreeDiff(trees.store, ignoresDirectoryTimes: false)
        #expect(try strict.differences(from: old, to: new).map(\.kind) == [.attributes])
    }

    @Test func `equal parts are not read`() throws {
        let many = (0..<20_000).map { (TreePath(names: [FileName("data"), FileName("f\($0)")]), file($0)) }
        var files = Dictionary(uniqueKeysWithValues: many)
        let old = try trees.tree(files)
        files["data/f777"] = file(-1)
        let new = try trees.tree(files)
        let reads = Lock(0)
        let source = trees.store
        let counting = TreeStore { digest throws(StoreError) in
            reads.withLock { $0 += 1 }
            return try source.node(digest).encoded()
        }
        let differences = try TreeDiff(counting).differences(from: old, to: new)
        #expect(differences.map(\.path) == ["data/f777"])
        #expect(reads.withLock { $0 } < 12)
    }

    @Test(arguments: 1...20)
    func `the differences of random trees are those of a plain comparison`(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var files: [TreePath: TreeEntry] = [:]
        for _ in 0..<Int.random(in: 0...2_000, using: &random) {
            files[randomPath(&random)] = file(Int.random(in: 0..<5, using: &random))
        }
        files = withoutFilesThatAreDirectories(files)
        var changed = files
        for path in files.keys.sorted() where Int.random(in: 0..<10, using: &random) == 0 {
            changed[path] = Bool.random(using: &random) ? nil : file(Int.random(in: 0..<5, using: &random))
        }
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            changed[randomPath(&random)] = file(Int.random(in: 0..<5, using: &random))
        }
        changed = withoutFilesThatAreDirectories(changed)
        let (old, new) = (try trees.tree(files), try trees.tree(changed))
        let expected = try naive(old, new)
        // What is decoded already is compared in another way.
        for decoded in [[], [old], [new], [old, new]] {
            trees.store.forgetDecoded()
            for tree in decoded { _ = try flat(tree) }
            let found = try TreeDiff(trees.store).differences(from: old, to: new)
            #expect(found.map(\.path) == found.map(\.path).sorted())
            #expect(Set(found.map { "\($0.kind) \($0.path.display)" }) == expected)
            #expect(found.isEmpty == (try TreeDiff(trees.store).areEqual(old, new)))
        }
    }

    private func randomPath(_ random: inout SeededGenerator) -> TreePath {
        let depth = Int.random(in: 1...3, using: &random)
        return TreePath(
            names: (0..<depth).map { _ in FileName("n\(Int.random(in: 0..<40, using: &random))") })
    }

    private func withoutFilesThatAreDirectories(_ files: [TreePath: TreeEntry]) -> [TreePath: TreeEntry] {
        let directories = Set(
            files.keys.flatMap { path in
                (1..<max(1, path.names.count)).map { TreePath(names: Array(path.names.prefix($0))) }
            })
        return files.filter { !directories.contains($0.key) }
    }

    private func naive(_ old: TreeEntry, _ new: TreeEntry) throws -> Set<String> {
        let (left, right) = (try flat(old), try flat(new))
        var result: Set<String> = []
        for path in Set(left.keys).union(right.keys) {
            switch (left[path], right[path]) {
            case (nil, _?): result.insert("added \(path.display)")
            case (_?, nil): result.insert("removed \(path.display)")
            case (let a?, let b?) where a.kind != b.kind: result.insert("type \(path.display)")
            case (let a?, let b?) where a.kind == .file && a.content != b.content:
                result.insert("changed \(path.display)")
            default: break
            }
        }
        return result
    }

    private func flat(_ root: TreeEntry) throws -> [TreePath: TreeEntry] {
        var entries: [TreePath: TreeEntry] = [:]
        if let tree = root.tree { try trees.store.walk(tree) { path, entry in entries[path] = entry } }
        return entries
    }
}
