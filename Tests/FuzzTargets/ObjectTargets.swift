import Objects

// What the catalog holds: bytes named by their digests.
extension FuzzTarget {
    static let objects: [FuzzTarget] = [
        .canonical("tree-node") { bytes throws(ObjectError) in
            try TreeNode(decoding: bytes)
        } encode: {
            sum($0)
            return $0.encoded()
        },
        .canonical("manifest") { bytes throws(ObjectError) in
            try Manifest(decoding: bytes)
        } encode: {
            $0.encoded()
        },
    ]

    /// The encoding of all of these, taken by itself.
    static let cbor = canonical("cbor") { bytes throws(ObjectError) in
        var reader = CBORReader(bytes)
        let item = try CBORItem(from: &reader, depth: 0)
        try reader.end()
        return item
    } encode: {
        var writer = CBORWriter()
        $0.write(to: &writer)
        return writer.bytes
    }

    /// Sums over hostile numbers must not trap.
    private static func sum(_ node: TreeNode) {
        _ = (node.count, node.files, node.bytes)
    }
}

/// Any item that the reader can read.
private indirect enum CBORItem: Sendable {
    case number(UInt64)
    case negative(Int64)
    case bytes([UInt8])
    case array([CBORItem])
    case null

    init(from reader: inout CBORReader, depth: Int) throws(ObjectError) {
        // The reader says what comes next only by what it refuses.
        let start = reader
        if reader.null() {
            self = .null
            return
        }
        do throws(ObjectError) {
            self = .number(try reader.unsigned())
            return
        } catch { reader = start }
        do throws(ObjectError) {
            self = .negative(try reader.signed())
            return
        } catch { reader = start }
        do throws(ObjectError) {
            self = .bytes(try reader.byteString())
            return
        } catch { reader = start }
        guard depth < 64 else { throw reader.malformed("nested too deeply") }
        var items: [CBORItem] = []
        for _ in 0..<(try reader.array()) { items.append(try CBORItem(from: &reader, depth: depth + 1)) }
        self = .array(items)
    }

    func write(to writer: inout CBORWriter) {
        switch self {
        case .number(let value): writer.unsigned(value)
        case .negative(let value): writer.signed(value)
        case .bytes(let bytes): writer.byteString(bytes)
        case .array(let items):
            writer.array(count: items.count)
            for item in items { item.write(to: &writer) }
        case .null: writer.null()
        }
    }
}
