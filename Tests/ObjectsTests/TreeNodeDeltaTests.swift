import Objects
import Testing

@Suite struct TreeNodeDeltaTests {
    // MARK: Round trips

    /// Random edits of leaves with times of both forms and of inner nodes, each made of its base again.
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `a node is made again from any base of its level, to the byte`(seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        for _ in 0..<200 {
            let isInner = Bool.random(using: &random)
            let (base, node) = (randomNode(isInner, &random), randomNode(isInner, &random))
            try expectRoundTrip(base, node)
            try expectRoundTrip(base, edited(base, &random))
        }
    }

    @Test func `nodes of either format are bases of each other, and so is the empty one`() throws {
        let leaves = [TreeNode.empty, Sample.oneFile, Sample.everyKind, Sample.wideTimes]
        for base in leaves { for node in leaves { try expectRoundTrip(base, node) } }
    }

    @Test func `names out of order are found without decoding`() throws {
        try NodeItems(TreeNode.leaf(["a", "b"].map { Sample.file(FileName(literal: $0)) }).encoded())
            .requireOrder()
        for names: [StaticString] in [["b", "a"], ["a", "a"]] {
            let node = TreeNode.leaf(names.map { Sample.file(FileName(literal: $0)) }).encoded()
            #expect(throws: ObjectError.self) { try NodeItems(node).requireOrder() }
        }
    }

    @Test func `what did not change is one number`() throws {
        let base = leaf(0..<512)
        #expect(Hex.encode(try TreeNodeDelta.encoded(from: base, to: base)) == "8401010081" + "190200")
        var entries = try items(base)
        entries[100].size += 1
        entries.remove(at: 200)
        let delta = try TreeNodeDelta.encoded(from: base, to: TreeNode.leaf(entries).encoded())
        #expect(
            Hex.encode(delta) == "8401010085" + "1864" + "82182006" + "1863" + "20" + "190137")
    }

    /// As documented.
    @Test func `the bytes of a delta are pinned`() throws {
        let names = ["a", "b", "c", "d"].map { Sample.file(FileName(literal: $0)) }
        var changed = names[1]
        changed.mode = 0o600
        let new = [names[0], changed, Sample.file(FileName(literal: "bb")), names[3]]
        let delta = try TreeNodeDelta.encoded(
            from: TreeNode.leaf(names).encoded(), to: TreeNode.leaf(new).encoded())
        #expect(
            Hex.encode(delta)
                == "84010100" + "85" + "01" + "8204190180" + "20"
                + "8942626201" + "1901a4" + "1903e8" + "1903e8" + "05" + "1b17979cfe3d85cd15"
                + "5820" + "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" + "f6" + "01")
    }

    // MARK: Hostile ones

    @Test(arguments: [
        // Cut short, too long, of another format, of a node of another format or level.
        "", "84", "840101", "8401010080" + "00", "8301010080", "8402010080", "8401000080", "8401030080",
        "8401010180", "84010100f6", "8401010001",
        // Copies and skips of nothing, of more than there is, and twice in a row.
        "8401010081" + "00", "8401010081" + "05", "8401010082" + "01" + "02",
        "8401010083" + "23" + "01" + "01", "8401010083" + "20" + "20" + "01",
        "8401010081" + "1bffffffffffffffff", "8401010082" + "3bffffffffffffffff" + "01",
        "8401010082" + "3b7fffffffffffffff" + "01",
        // Skips after an item, at the end, and before items alone.
        "8401010083" + "814161" + "20" + "01", "8401010082" + "01" + "20", "8401010081" + "20",
        "8401010082" + "20" + "814161", "8401010083" + "8204190180" + "20" + "814161",
        // Patches of nothing, of the name, of more or fewer fields than there are, of what is not there.
        "8401010081" + "8100", "8401010081" + "820100", "8401010081" + "82034161", "8401010081" + "8102",
        "8401010081" + "82060001", "8401010081" + "8302" + "0101", "8401010081" + "8219020001",
        "8401010081" + "821b800000000000000001", "8401010082" + "04" + "8204190180",
        "8401010081" + "82041801", "8401010081" + "8204",
        // Items without a name.
        "8401010081" + "80", "8401010081" + "81f6", "8401010081" + "8120", "8401010081" + "8180",
        // What is no op, numbers that are too long, and arrays of more than there is.
        "8401010081" + "f6", "8401010081" + "4161", "8401010081" + "1801",
        "8401010081" + "9b7fffffffffffffff",
        "8401010081" + "81", "840101009b7fffffffffffffff", "8401010081" + "8162", "8401010081" + "81f5",
        "8401010081" + "a0",
    ])
    func `what is not a delta is refused`(hex: String) throws {
        let base = leaf(0..<4)
        let delta = try #require(Hex.decode(hex))
        let error = #expect(throws: ObjectError.self) { try TreeNodeDelta.node(from: base, delta) }
        #expect(error?.code == .malformed)
    }

    @Test func `a node of too many items is not made`() throws {
        let base = leaf(0..<512)
        let more = "84010100" + "82" + "190200" + "81417a"
        let error = #expect(throws: ObjectError.self) {
            try TreeNodeDelta.node(from: base, try #require(Hex.decode(more)))
        }
        #expect(error?.code == .malformed)
    }

    @Test(arguments: [
        "", "83010080" + "00", "83030080", "830100" + "81" + "80", "830100" + "81" + "01", "f6",
    ])
    func `a base that is not a node is refused`(hex: String) throws {
        let (base, copy) = (try #require(Hex.decode(hex)), try #require(Hex.decode("8401010080")))
        #expect(throws: ObjectError.self) { try TreeNodeDelta.node(from: base, copy) }
        #expect(throws: ObjectError.self) { try TreeNodeDelta.encoded(from: base, to: copy) }
    }

    @Test func `a node of another level is no base`() throws {
        let (leaf, inner) = (Sample.oneFile.encoded(), Sample.inner.encoded())
        #expect(throws: ObjectError.self) { try TreeNodeDelta.encoded(from: leaf, to: inner) }
        #expect(throws: ObjectError.self) { try TreeNodeDelta.encoded(from: inner, to: leaf) }
    }

    /// Items nested as deeply as an input has bytes take no stack.
    @Test func `arrays within arrays are read to any depth`() throws {
        let nested = [UInt8](repeating: 0x81, count: 100_000) + [0x01]
        let delta = [0x84, 0x01, 0x01, 0x00, 0x81, 0x82, 0x41, 0x61] + nested
        let made = try TreeNodeDelta.node(from: TreeNode.empty.encoded(), delta)
        #expect(made == [0x83, 0x01, 0x00, 0x81, 0x82, 0x41, 0x61] + nested)
        #expect(throws: ObjectError.self) { try TreeNode(decoding: made) }
    }

    @Test func `any change of any byte makes other bytes, or none`() throws {
        let base = leaf(0..<30)
        var entries = try items(base)
        for index in [3, 9, 29] { entries[index].size += 7 }
        entries.removeSubrange(14..<17)
        let node = TreeNode.leaf(entries).encoded()
        let delta = try TreeNodeDelta.encoded(from: base, to: node)
        for index in delta.indices {
            for change: UInt8 in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1f, 0xff] {
                var bytes = delta
                bytes[index] ^= change
                do {
                    let made = try TreeNodeDelta.node(from: base, bytes)
                    #expect(made != node)
                    #expect(made.count <= base.count + bytes.count)
                } catch {
                    #expect(error.code == .malformed)
                }
            }
        }
    }

    // MARK: Nodes

    private func expectRoundTrip(_ base: TreeNode, _ node: TreeNode) throws {
        let (old, new) = (base.encoded(), node.encoded())
        let delta = try TreeNodeDelta.encoded(from: old, to: new)
        #expect(try TreeNodeDelta.node(from: old, delta) == new)
        // Never much more than the node alone.
        #expect(delta.count <= new.count + 600)
    }

    private func leaf(_ numbers: Range<Int>) -> [UInt8] {
        TreeNode.leaf(numbers.map { Sample.file(FileName(unchecked: Array("name-\(1000 + $0)".utf8))) })
            .encoded()
    }

    private func items(_ leaf: [UInt8]) throws -> [TreeEntry] {
        guard case .leaf(let entries) = try TreeNode(decoding: leaf) else { return [] }
        return entries
    }

    private func randomNode(_ isInner: Bool, _ random: inout SeededGenerator) -> TreeNode {
        let count = Int.random(in: isInner ? 1...40 : 0...40, using: &random)
        let names = Set((0..<count).map { _ in Int.random(in: 100..<180, using: &random) }).sorted()
        if isInner { return .inner(level: 3, names.map { randomChild($0, &random) }) }
        return .leaf(names.map { randomEntry($0, &random) })
    }

    private func name(_ number: Int) -> FileName { FileName(unchecked: Array("n\(number)".utf8)) }

    private func randomEntry(_ number: Int, _ random: inout SeededGenerator) -> TreeEntry {
        var entry = Sample.file(name(number), size: UInt64.random(in: 0...2, using: &random))
        if Int.random(in: 0..<50, using: &random) == 0 {
            entry.mtime = Timestamp(seconds: 10_413_792_000, nanoseconds: 1)
        }
        return entry
    }

    private func randomChild(_ number: Int, _ random: inout SeededGenerator) -> TreeNode.Child {
        TreeNode.Child(
            lastName: name(number), digest: Sample.digest(of: "\(Int.random(in: 0...2, using: &random))"),
            count: 9, files: 9, bytes: 9)
    }

    /// Some items changed, removed and added.
    private func edited(_ node: TreeNode, _ random: inout SeededGenerator) -> TreeNode {
        switch node {
        case .leaf(let entries):
            var byName = Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0) })
            for _ in 0..<Int.random(in: 0...5, using: &random) {
                let entry = randomEntry(Int.random(in: 100..<180, using: &random), &random)
                byName[entry.name] = Bool.random(using: &random) ? entry : nil
            }
            return .leaf(byName.values.sorted { $0.name < $1.name })
        case .inner(let level, let children):
            var byName = Dictionary(uniqueKeysWithValues: children.map { ($0.lastName, $0) })
            let child = randomChild(Int.random(in: 100..<180, using: &random), &random)
            byName[child.lastName] = child
            return .inner(level: level, byName.values.sorted { $0.lastName < $1.lastName })
        }
    }
}
