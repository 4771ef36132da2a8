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
        FuzzTarget("delta", byteCountMax: 8192, problemWithDelta),
        .canonical("manifest") { bytes throws(ObjectError) in
            try Manifest(decoding: bytes)
        } encode: {
            $0.encoded()
        },
    ]

    /// An input's first two bytes say how long the base is that comes next; the rest is a delta, or another node.
    @Sendable
    private static func problemWithDelta(_ bytes: [UInt8]) -> String? {
        guard bytes.count >= 2 else { return nil }
        let rest = bytes.dropFirst(2)
        let base = Array(rest.prefix(Int(bytes[0]) << 8 | Int(bytes[1])))
        let other = Array(rest.dropFirst(base.count))
        if let problem = problem(with: other, from: base) { return problem }
        guard let made = try? TreeNodeDelta.node(from: base, other) else { return nil }
        if made.count > bytes.count + 16 { return "delta: more bytes than there were" }
        guard (try? TreeNodeDelta.encoded(from: base, to: made)) != nil else {
            return "delta: what was made has not the form of a node"
        }
        return problem(with: made, from: base)
    }

    /// What is wrong with the delta from one node to another, where there is one.
    private static func problem(with node: [UInt8], from base: [UInt8]) -> String? {
        guard let delta = try? TreeNodeDelta.encoded(from: base, to: node) else { return nil }
        guard let again = try? TreeNodeDelta.node(from: base, delta) else {
            return "delta: does not read what it wrote"
        }
        return again == node ? nil : "delta: another node after it was written and read"
    }

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
