/// One tree node said by what it has in common with another, its base. Layout: `docs/FORMAT.md`, "Deltas".
///
///     delta = [1, node format, level, [op, …]]
///     op    = n                     the next n items of the base
///           | -n                    not the next n items of the base
///           | item                  an item of the node's own
///           | [fields, value, …]    the next item of the base, but with these fields
///
/// A node's digest is that of its own bytes, however the catalog keeps it: who makes them from a delta has still to
/// hash and to decode them.
public enum TreeNodeDelta {
    public static let formatNumber: UInt64 = 1

    /// The delta that makes `node` of `base`, both of them canonical bytes of nodes of one level.
    ///
    /// Items are matched by their names, which rise in both, so each is looked at once; runs of equal ones as bytes.
    ///
    /// - Throws: ``ObjectError`` `.malformed` for anything else.
    public static func encoded(from base: [UInt8], to node: [UInt8]) throws(ObjectError) -> [UInt8] {
        let (base, node) = (try NodeItems(base), try NodeItems(node))
        guard base.level == node.level else {
            throw ObjectError(.malformed, "a tree node of another level than its base")
        }
        var ops = OpWriter()
        var (old, new) = (0, 0)
        while new < node.count {
            let same = NodeItems.sameCount(base, old, node, new)
            if same > 0 {
                ops.copy(same)
                (old, new) = (old + same, new + same)
                continue
            }
            let (name, item) = (node.name(new), node.item(new))
            new += 1
            while old < base.count, base.name(old).lexicographicallyPrecedes(name) {
                ops.skip()
                old += 1
            }
            guard old < base.count, base.name(old) == name else {
                ops.item(item)
                continue
            }
            let before = base.item(old)
            old += 1
            if before == item {
                ops.copy(1)
            } else if let patch = try patch(from: before, to: item), patch.count < item.count {
                ops.patch(patch)
            } else {
                ops.skip()
                ops.item(item)
            }
        }
        ops.end()
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.unsigned(formatNumber)
        writer.unsigned(node.format)
        writer.unsigned(UInt64(node.level))
        writer.array(count: ops.count)
        writer.items(ops.bytes)
        return writer.bytes
    }

    /// nil where the items are not of one form, or too long to be told apart by numbers.
    private static func patch(
        from before: ArraySlice<UInt8>, to item: ArraySlice<UInt8>
    ) throws(ObjectError) -> [UInt8]? {
        let (old, new) = (try NodeItems.fields(of: before), try NodeItems.fields(of: item))
        guard old.count == new.count, new.count <= UInt64.bitWidth else { return nil }
        let changed = new.indices.filter { old[$0] != new[$0] }
        var writer = CBORWriter()
        writer.array(count: 1 + changed.count)
        writer.unsigned(changed.reduce(0) { $0 | 1 << UInt64($1) })
        for index in changed { writer.items(new[index]) }
        return writer.bytes
    }

    /// The bytes of the node that `delta` makes of `base`. They take hardly more than both together.
    ///
    /// - Throws: ``ObjectError`` `.malformed` where the base has not the form of a node, or the delta is none of it.
    public static func node(from base: [UInt8], _ delta: [UInt8]) throws(ObjectError) -> [UInt8] {
        var reader = CBORReader(delta)
        try reader.array(of: 4)
        let number = try reader.unsigned()
        guard number == formatNumber else {
            throw ObjectError(.malformed, "delta of unknown format \(number)")
        }
        let format = try reader.unsigned()
        guard TreeNode.isKnown(format: format) else {
            throw ObjectError(.malformed, "delta to a tree node of unknown format \(format)")
        }
        var items = OpReader(base: try NodeItems(base))
        let level = items.base.level
        guard try reader.unsigned() == UInt64(level) else {
            throw reader.malformed("delta of another level than its base")
        }
        for _ in 0..<(try reader.array()) { try items.read(&reader) }
        guard !items.isSkipping else { throw reader.malformed("a skip to nowhere") }
        try reader.end()
        return NodeItems.header(format: format, level: level, count: items.count) + items.written.bytes
    }
}

/// Puts ops in the one order that is read: what is skipped comes before what takes its place, and something of the base
/// after it.
private struct OpWriter {
    private(set) var count = 0
    private var writer = CBORWriter()
    private var copied = 0
    private var skipped = 0
    private var items: [ArraySlice<UInt8>] = []

    var bytes: [UInt8] { writer.bytes }

    mutating func copy(_ count: Int) {
        closeGap()
        copied += count
    }

    mutating func patch(_ bytes: [UInt8]) {
        closeGap()
        closeCopy()
        writer.items(bytes)
        count += 1
    }

    mutating func skip() {
        closeCopy()
        skipped += 1
    }

    mutating func item(_ bytes: ArraySlice<UInt8>) {
        closeCopy()
        items.append(bytes)
    }

    /// What the base has after the last that is taken from it is left out without a word.
    mutating func end() {
        skipped = 0
        closeGap()
        closeCopy()
    }

    private mutating func closeCopy() {
        if copied == 0 { return }
        writer.unsigned(UInt64(copied))
        count += 1
        copied = 0
    }

    private mutating func closeGap() {
        if skipped > 0 {
            writer.signed(-Int64(skipped))
            count += 1
            skipped = 0
        }
        for item in items { writer.items(item) }
        count += items.count
        items.removeAll(keepingCapacity: true)
    }
}

/// Makes a node's items of a base and ops, and refuses ops in any other order.
private struct OpReader {
    let base: NodeItems
    private(set) var written = CBORWriter()
    private(set) var count = 0
    /// Whether nothing of the base has come since a skip.
    private(set) var isSkipping = false
    /// The index of the base's item that comes next.
    private var next = 0
    private var last: Last?

    private enum Last { case copy, skip, item, patch }

    init(base: NodeItems) {
        self.base = base
    }

    mutating func read(_ reader: inout CBORReader) throws(ObjectError) {
        if reader.isArray {
            let start = reader
            let fieldCount = try reader.array()
            if reader.isUnsigned { return try patch(valueCount: fieldCount - 1, &reader) }
            guard reader.isByteString else { throw reader.malformed("an item without a name") }
            reader = start
            written.items(try reader.item())
            try made(1, .item, reader)
        } else if reader.isNegative {
            let count = ~(try reader.signed())
            guard last != .skip, last != .item else { throw reader.malformed("a skip out of its place") }
            // One less than are passed over.
            guard count < base.count - next else { throw reader.malformed("more items than the base has") }
            next += Int(count) + 1
            (last, isSkipping) = (.skip, true)
        } else {
            let count = try reader.unsigned()
            guard count > 0, last != .copy else { throw reader.malformed("a copy out of its place") }
            guard count <= base.count - next else { throw reader.malformed("more items than the base has") }
            written.items(base.items(next..<next + Int(count)))
            next += Int(count)
            isSkipping = false
            try made(Int(count), .copy, reader)
        }
    }

    private mutating func patch(valueCount: Int, _ reader: inout CBORReader) throws(ObjectError) {
        guard next < base.count else { throw reader.malformed("more items than the base has") }
        let changed = try reader.unsigned()
        let fields = try NodeItems.fields(of: base.item(next))
        // A change of the first field, the name, would make it another item.
        guard changed > 1, changed & 1 == 0, changed.nonzeroBitCount == valueCount,
            UInt64.bitWidth - changed.leadingZeroBitCount <= fields.count
        else { throw reader.malformed("not fields of the base's item") }
        written.array(count: fields.count)
        for (index, field) in fields.enumerated() {
            let isChanged = index < UInt64.bitWidth && changed >> UInt64(index) & 1 == 1
            written.items(isChanged ? try reader.item() : field)
        }
        next += 1
        isSkipping = false
        try made(1, .patch, reader)
    }

    private mutating func made(_ more: Int, _ op: Last, _ reader: CBORReader) throws(ObjectError) {
        count += more
        last = op
        guard count <= TreeNode.itemCountMax else { throw reader.malformed("node of too many items") }
    }
}
