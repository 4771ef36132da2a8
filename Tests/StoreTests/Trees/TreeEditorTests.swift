import Objects
import TestSupport
import Testing

@testable import Store

@Suite struct TreeEditorTests {
    /// Names as they come, names none of whose hashes ends a node, and names among which those that end nodes of
    /// higher levels are frequent.
    enum Names: CaseIterable {
        case any, uncut, cutHigh

        func pool(_ count: Int) -> [FileName] {
            let numbers = (0...).lazy.map { FileName("entry-\($0)") }
            switch self {
            case .any: return Array(numbers.prefix(count))
            case .uncut: return Array(numbers.filter { !NameHash.ends($0, level: 0) }.prefix(count))
            case .cutHigh:
                let high = numbers.filter { NameHash.ends($0, level: 1) }.prefix(12)
                return Array(high) + Array(numbers.prefix(count - 12))
            }
        }
    }

    /// The property that everything else rests on: the digest of a directory says what is in it, however it came
    /// about.
    @Test(arguments: Names.allCases, [UInt64(1), 2, 3])
    func `an edited directory is the same to the byte as one built from nothing`(
        names: Names, seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let pool = names.pool(6_000)
        let trees = MemoryTrees()
        var content: [FileName: TreeEntry] = [:]
        var digest: Digest?
        for round in 0..<25 {
            let changes = randomChanges(of: content, from: pool, round: round, &random)
            for (name, change) in changes {
                switch change {
                case .set(let entry): content[name] = entry
                case .remove: content[name] = nil
                }
            }
            let edited = try trees.edit(digest, changes).summary
            let built = try MemoryTrees().build(content.values)
            try #require(edited == built, "seed \(seed), round \(round)")
            #expect(edited.count == UInt64(content.count))
            #expect(edited.bytes == content.values.reduce(0) { $0 + $1.size })
            digest = edited.digest
        }
        let all = try trees.store.entries(in: try #require(digest))
        #expect(all == content.values.sorted { $0.name < $1.name })
    }

    private func randomChanges(
        of content: [FileName: TreeEntry], from pool: [FileName], round: Int,
        _ random: inout SeededGenerator
    ) -> [FileName: TreeChange] {
        var changes: [FileName: TreeChange] = [:]
        // Growing to 5,000 entries, shrinking to none, and single changes in between.
        let count = [1, 3, 30, 700, 2_500].randomElement(using: &random) ?? 1
        let removes = Double.random(in: 0...1, using: &random)
        let present = content.keys.sorted()
        for _ in 0..<count {
            if Double.random(in: 0...1, using: &random) < removes,
                let name = present.randomElement(using: &random)
            {
                changes[name] = .remove
            } else if let name = pool.randomElement(using: &random), content.count < 5_000 {
                changes[name] = .set(.file(name, Int.random(in: 0..<1_000_000, using: &random)))
            }
        }
        if round % 13 == 12 { for name in content.keys { changes[name] = .remove } }
        return changes
    }

    @Test func `removing a name that is not there changes nothing`() throws {
        let trees = MemoryTrees()
        let base = try trees.build((0..<1_000).map { TreeEntry.file(FileName("f\($0)"), $0) })
        let edited = try trees.edit(base.digest, [FileName("g"): .remove, FileName(""): .remove])
        #expect(edited.summary == base)
        #expect(edited.newNodes.isEmpty)
    }

    @Test func `one change in a large directory makes few new nodes`() throws {
        let trees = MemoryTrees()
        let base = try trees.build((0..<50_000).map { TreeEntry.file(FileName("f\($0)"), $0) })
        #expect(trees.count > 300)
        let changed = try trees.edit(base.digest, [FileName("f31415"): .set(.file(FileName("f31415"), -1))])
        #expect(changed.newNodes.count <= 3)
        let removed = try trees.edit(base.digest, [FileName("f31415"): .remove])
        #expect(removed.newNodes.count <= 4)
    }

    @Test func `a new node knows the one in whose place it comes`() throws {
        let trees = MemoryTrees()
        let base = try trees.build((0..<50_000).map { TreeEntry.file(FileName("f\($0)"), $0) })
        var editor = TreeEditor(trees.store)
        let changes: [FileName: TreeChange] = [
            FileName("f31415"): .set(.file(FileName("f31415"), -1)), FileName("f271"): .remove,
            FileName("new"): .set(.file(FileName("new"), 1)),
        ]
        let edited = try editor.edit(base.digest, changes)
        #expect(editor.newNodes.count > 3)
        #expect(editor.predecessors[edited.digest] == base.digest)
        #expect(Set(editor.predecessors.keys) == Set(editor.newNodes.keys))
        for (digest, predecessor) in editor.predecessors {
            let node = try TreeNode(decoding: try #require(editor.newNodes[digest]))
            let before = try trees.store.node(predecessor)
            #expect(before.level == node.level)
            // One entry more or less, in the same place.
            let delta = try TreeNodeDelta.encoded(from: before.encoded(), to: node.encoded())
            #expect(delta.count < 500)
        }
    }

    @Test func `what is built from nothing comes in no place`() throws {
        var editor = TreeEditor(MemoryTrees().store)
        _ = try editor.edit(nil, [FileName("a"): .set(.file(FileName("a"), 1))])
        #expect(editor.predecessors.isEmpty)
    }

    @Test func `a directory of one node is that node`() throws {
        let entries = (0..<9).map { TreeEntry.file(FileName("f\($0)"), $0) }
        let summary = try MemoryTrees().build(entries)
        #expect(summary.digest == Digest.of(TreeNode.leaf(entries).encoded()))
    }

    @Test func `an empty directory is the empty leaf`() throws {
        let trees = MemoryTrees()
        let one = try trees.build([.file(FileName("a"), 1)])
        let none = try trees.edit(one.digest, [FileName("a"): .remove]).summary
        #expect(
            none == TreeSummary(digest: Digest.of(TreeNode.empty.encoded()), count: 0, files: 0, bytes: 0))
    }

    @Test(arguments: [600, 5_000, 40_000])
    func `no node has more than 512 items and levels are whole`(count: Int) throws {
        let trees = MemoryTrees()
        let root = try trees.build(Names.uncut.pool(count).map { TreeEntry.file($0, 1) })
        #expect(try depths(of: root.digest, trees.store).count == 1)
    }

    private func depths(of digest: Digest, _ trees: TreeStore) throws -> Set<Int> {
        switch try trees.node(digest) {
        case .leaf(let entries):
            #expect(entries.count <= TreeNode.itemCountMax)
            return [0]
        case .inner(let level, let children):
            #expect(children.count <= TreeNode.itemCountMax)
            var below: Set<Int> = []
            for child in children {
                let node = try trees.node(child.digest)
                #expect(node.count == child.count && node.files == child.files && node.bytes == child.bytes)
                #expect(node.level == level - 1)
                below.formUnion(try depths(of: child.digest, trees))
            }
            return Set(below.map { $0 + 1 })
        }
    }

    /// Pinned: another digest means another format, which needs another format number.
    @Test func `the digests of known directories stay what they are`() throws {
        let small = try MemoryTrees().build((0..<3).map { TreeEntry.file(FileName("f\($0)"), $0) })
        #expect(small.digest.hex == "8c8b6ca31cb52a4eec6fd250ed6c255d487d28383ce70f093f8775f69432c380")
        let large = try MemoryTrees().build((0..<20_000).map { TreeEntry.file(FileName("f\($0)"), $0) })
        #expect(large.digest.hex == "1b20baf2703b8f8cb0a529ac9f65fec2cb0de4dc25e6aa8bc1850af2bc55cdda")
        let uncut = try MemoryTrees().build(Names.uncut.pool(3_000).map { TreeEntry.file($0, 1) })
        #expect(uncut.digest.hex == "5bcda505c029721fd059ed440e12456d4e52d4da217294e3efb9dc9fc6c7ddf1")
    }
}
