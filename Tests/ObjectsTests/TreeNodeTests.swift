import Objects
import Testing

@Suite struct TreeNodeTests {
    @Test(arguments: [TreeNode.empty, Sample.oneFile, Sample.everyKind, Sample.inner, Sample.wideTimes])
    func `a node round trips`(node: TreeNode) throws {
        let bytes = node.encoded()
        let decoded = try TreeNode(decoding: bytes)
        #expect(decoded == node)
        #expect(decoded.encoded() == bytes)
    }

    @Test(arguments: EntryKind.allCases)
    func `an entry of every kind is in the sample`(kind: EntryKind) throws {
        guard case .leaf(let entries) = Sample.everyKind else { throw Mismatch.notALeaf }
        #expect(entries.contains { $0.kind == kind })
    }

    @Test func `the bytes of the smallest nodes are pinned`() {
        #expect(Hex.encode(TreeNode.empty.encoded()) == "83010080")
        #expect(
            Hex.encode(Sample.oneFile.encoded())
                == "8301008189416101" + "1901a4" + "1903e8" + "1903e8" + "05" + "1b17979cfe3d85cd15"
                + "5820" + "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" + "f6")
    }

    /// All but the time and what follows it.
    private static let beginning = "8189416101" + "1901a4" + "1903e8" + "1903e8" + "05"
    private static let ending = "5820" + Sample.digest(of: "hello").hex + "f6"

    @Test func `a time of the year 2300 is seconds and nanoseconds, in a node of format 2`() {
        var entry = Sample.file(FileName(literal: "a"))
        entry.mtime = Timestamp(seconds: 10_413_792_000, nanoseconds: 1)
        let node = TreeNode.leaf([entry])
        #expect(
            Hex.encode(node.encoded())
                == "830200" + TreeNodeTests.beginning + "821b000000026cb5db0001" + TreeNodeTests.ending)
        #expect(
            Digest.of(node.encoded()).hex
                == "38d9f5bb2e91efaf7f3675f47cceb7515bfded07beba4d7318a111628d2558a9")
    }

    @Test(arguments: [
        // One number would do: the last and the first moment that it can hold, and one between.
        "821b0000000225c17d041a32f2d7ff", "823b0000000225c17d041a08a7f200", "820000",
        "821b000000026cb5db001a3b9aca00", "821b000000026cb5db0020", "821b000000026cb5db00f6",
        "811b000000026cb5db00", "831b000000026cb5db000101", "80", "f6",
        "1bffffffffffffffff", "3bffffffffffffffff", "821bffffffffffffffff00", "82821b000000026cb5db000101",
    ])
    func `a time in any other form is refused`(time: String) throws {
        for format in ["01", "02"] {
            let hex = "83\(format)00" + TreeNodeTests.beginning + time + TreeNodeTests.ending
            let bytes = try #require(Hex.decode(hex))
            let error = #expect(throws: ObjectError.self) { try TreeNode(decoding: bytes) }
            #expect(error?.code == .malformed)
        }
    }

    @Test func `the second format is for times that need it, and for no others`() {
        for (node, other) in [(Sample.oneFile, 2), (Sample.inner, 2), (Sample.wideTimes, 1)]
            as [(TreeNode, UInt8)]
        {
            var bytes = node.encoded()
            bytes[1] = other
            let error = #expect(throws: ObjectError.self) { try TreeNode(decoding: bytes) }
            #expect(error?.code == .malformed)
        }
    }

    @Test(arguments: [
        (TreeNode.empty, "c3b43ab34aaafcd9537e8143037b0472ac727cb59eedaa9e0d02ed31a6064373"),
        (Sample.oneFile, "0e81cabc7a7aea3cdebc83ce355a326fea87a74a9b333b3b66188d55b5037c4e"),
        (Sample.everyKind, "b1391252e5ce36b84c410227cf0b07119d285a2319ff10772f3e77aaaa5adaff"),
        (Sample.wideTimes, "95794167e3a38795c4336e67f34598bf2033b88a086c79b877c3942cca42bc0d"),
        (Sample.inner, "826152208a26d2adce81f09b27aad3f4836f69a93350515ea56f7726a8c5f9aa"),
    ])
    func `the digests of known nodes are pinned`(node: TreeNode, hex: String) {
        #expect(Digest.of(node.encoded()).hex == hex)
    }

    @Test func `counts and sums are those of what is below`() {
        #expect(Sample.everyKind.count == 9)
        #expect(Sample.everyKind.files == 8 + 3)
        #expect(Sample.oneFile.bytes == 5)
        #expect(Sample.inner.count == 301)
        #expect(Sample.inner.files == 299)
        #expect(Sample.inner.level == 2)
    }

    @Test func `extended attributes are kept in order of name`() {
        guard case .leaf(let entries) = Sample.everyKind else { return }
        #expect(
            entries[5].xattrs.map { String(decoding: $0.name, as: UTF8.self) } == [
                "user.empty", "user.origin",
            ])
    }

    @Test func `names of a node must rise`() {
        let a = Sample.file(FileName(literal: "a"))
        let b = Sample.file(FileName(literal: "b"))
        expectMalformed(TreeNode.leaf([b, a]))
        expectMalformed(TreeNode.leaf([a, a]))
        guard case .inner(_, let children) = Sample.inner else { return }
        expectMalformed(.inner(level: 1, children.reversed()))
        expectMalformed(.inner(level: 1, []))
    }

    @Test func `entries that break the rules of their kind are refused`() {
        func entry(_ change: (inout TreeEntry) -> Void) -> TreeNode {
            var entry = Sample.file(FileName(literal: "a"))
            change(&entry)
            return .leaf([entry])
        }
        expectMalformed(entry { $0.name = .root })
        expectMalformed(entry { $0.name = FileName(literal: "..") })
        expectMalformed(entry { $0.name = FileName(literal: "a/b") })
        expectMalformed(entry { $0.mode = 0o10000 })
        expectMalformed(entry { $0.content = .none })
        expectMalformed(entry { $0.kind = .directory })
        expectMalformed(entry { $0.kind = .fifo })
        expectMalformed(entry { ($0.kind, $0.content) = (.symlink, .target([])) })
        expectMalformed(entry { ($0.kind, $0.content) = (.symlink, .target([0x61, 0])) })
        let attribute = ExtendedAttribute(name: Array("user.a".utf8), value: [1])
        expectMalformed(entry { $0.xattrs = [attribute, attribute] })
        expectMalformed(entry { $0.xattrs = [ExtendedAttribute(name: [], value: [])] })
        expectMalformed(entry { $0.xattrs = [ExtendedAttribute(name: [0x61, 0], value: [])] })
    }

    @Test func `a node of too many items is refused`() throws {
        let entries = (0...TreeNode.itemCountMax).map { number in
            Sample.file(FileName(unchecked: Array("name-\(1000 + number)".utf8)))
        }
        expectMalformed(.leaf(entries))
        #expect(try TreeNode(decoding: TreeNode.leaf(entries.dropLast()).encoded()).count == 512)
    }

    @Test(arguments: [
        "83020080", "83030080", "83000080", "830109818501", "82010080", "8301008000", "84010080f6", "", "f6",
        "8301",
        "83010180", "8301009b7fffffffffffffff", "8301009affffffff", "831801008080",
    ])
    func `what is not a node is refused`(hex: String) throws {
        let bytes = try #require(Hex.decode(hex))
        let error = #expect(throws: ObjectError.self) { try TreeNode(decoding: bytes) }
        #expect(error?.code == .malformed)
    }

    private enum Mismatch: Error { case notALeaf }

    private func expectMalformed(_ node: TreeNode, sourceLocation: SourceLocation = #_sourceLocation) {
        let error = #expect(throws: ObjectError.self, sourceLocation: sourceLocation) {
            try TreeNode(decoding: node.encoded())
        }
        #expect(error?.code == .malformed, sourceLocation: sourceLocation)
    }
}

@Suite struct NameHashTests {
    /// A change of any of these moves the cuts of every stored directory.
    @Test(
        arguments: [
            ("", 0xefd0_1f60_ba99_2926), ("a", 0x82a2_a958_a9be_ce5b),
            ("checkpoint-0001.pt", 0x49f4_c31f_e242_cb02), ("\u{e9}", 0x9d55_ccb9_ba86_763b),
        ] as [(String, UInt64)])
    func `hashes of names are pinned`(name: String, hash: UInt64) {
        #expect(NameHash.of(FileName(unchecked: Array(name.utf8))) == hash)
    }

    @Test func `one name in 128 ends a leaf and every end of a level is one below`() {
        let names = (0..<100_000).map { FileName(unchecked: Array("file-\($0)".utf8)) }
        let ends = names.filter { NameHash.ends($0, level: 0) }
        #expect((650...920).contains(ends.count))
        let upper = names.filter { NameHash.ends($0, level: 1) }
        #expect((1...20).contains(upper.count))
        #expect(upper.allSatisfy { NameHash.ends($0, level: 0) })
    }
}
