/// A node's items as bytes, not looked into but for their names.
public struct NodeItems: Sendable {
    let format: UInt64
    public let level: Int
    /// The node's own.
    public let bytes: [UInt8]
    private let items: [Range<Int>]
    private let names: [Range<Int>]

    public var count: Int { items.count }

    /// - Throws: ``ObjectError`` `.malformed` for what has not the form of a node.
    public init(_ bytes: [UInt8]) throws(ObjectError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        format = try reader.unsigned()
        guard TreeNode.isKnown(format: format) else {
            throw ObjectError(.malformed, "tree node of unknown format \(format)")
        }
        level = try reader.unsigned(as: Int.self)
        guard level <= TreeNode.levelMax else { throw reader.malformed("tree node of level \(level)") }
        let count = try reader.array()
        guard count <= TreeNode.itemCountMax else { throw reader.malformed("node of \(count) items") }
        var (items, names): ([Range<Int>], [Range<Int>]) = ([], [])
        items.reserveCapacity(count)
        names.reserveCapacity(count)
        for _ in 0..<count {
            let start = reader.position
            let fieldCount = try reader.array()
            // The name is the first of an item's fields.
            guard fieldCount > 0 else { throw reader.malformed("an item without a name") }
            names.append(try reader.byteStringRange())
            try reader.skip(fieldCount - 1)
            items.append(start..<reader.position)
        }
        try reader.end()
        self.bytes = bytes
        self.items = items
        self.names = names
    }

    /// - Throws: ``ObjectError`` `.malformed` where the names do not rise.
    public func requireOrder() throws(ObjectError) {
        for (name, next) in zip(names, names.dropFirst())
        where !bytes[name].lexicographicallyPrecedes(bytes[next]) {
            throw ObjectError(.malformed, "items out of order")
        }
    }

    /// Decodes one of a leaf's items.
    ///
    /// - Throws: ``ObjectError`` `.malformed` where that is no entry.
    public func entry(_ index: Int) throws(ObjectError) -> TreeEntry {
        var reader = CBORReader(Array(item(index)))
        let entry = try TreeEntry(from: &reader)
        try reader.end()
        return entry
    }

    /// How many items are the same bytes in both, one after the other, from these on.
    public static func sameCount(_ a: NodeItems, _ index: Int, _ b: NodeItems, _ other: Int) -> Int {
        guard index < a.count, other < b.count else { return 0 }
        let (start, otherStart) = (a.items[index].lowerBound, b.items[other].lowerBound)
        let same = a.bytes.withUnsafeBytes { bytes in
            b.bytes.withUnsafeBytes { otherBytes in
                commonByteCount(bytes[start...], otherBytes[otherStart...])
            }
        }
        // Where an item ends follows from its bytes, so in both they end at the same places.
        var end = index
        while end < a.count, a.items[end].upperBound - start <= same { end += 1 }
        return end - index
    }

    /// How many bytes both begin with.
    private static func commonByteCount(
        _ a: Slice<UnsafeRawBufferPointer>, _ b: Slice<UnsafeRawBufferPointer>
    ) -> Int {
        let (a, b) = (UnsafeRawBufferPointer(rebasing: a), UnsafeRawBufferPointer(rebasing: b))
        let count = min(a.count, b.count)
        var same = 0
        while same + 8 <= count,
            a.loadUnaligned(fromByteOffset: same, as: UInt64.self)
                == b.loadUnaligned(fromByteOffset: same, as: UInt64.self)
        { same += 8 }
        while same < count, a[same] == b[same] { same += 1 }
        return same
    }

    func item(_ index: Int) -> ArraySlice<UInt8> { bytes[items[index]] }

    public func name(_ index: Int) -> ArraySlice<UInt8> { bytes[names[index]] }

    /// Several that follow each other; at least one.
    func items(_ range: Range<Int>) -> ArraySlice<UInt8> {
        bytes[items[range.lowerBound].lowerBound..<items[range.upperBound - 1].upperBound]
    }

    /// The fields of an item, of which the first is its name.
    static func fields(of item: ArraySlice<UInt8>) throws(ObjectError) -> [ArraySlice<UInt8>] {
        var reader = CBORReader(Array(item))
        var fields: [ArraySlice<UInt8>] = []
        for _ in 0..<(try reader.array()) { fields.append(try reader.item()) }
        return fields
    }

    static func header(format: UInt64, level: Int, count: Int) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 3)
        writer.unsigned(format)
        writer.unsigned(UInt64(level))
        writer.array(count: count)
        return writer.bytes
    }
}
