/// One tree node said by what it has in common with another, its base. Layout: `docs/FORMAT.md`, "Deltas".
///
///     delta = [1, node format, level, [op, …]]
///     op    = n             the next n items of the base
///           | -n            not the next n items of the base
///           | item          an item of the node's own
///
/// A node's digest is that of its own bytes, however the catalog keeps it: who makes them from a delta has still to
/// hash and to decode them.
public enum TreeNodeDelta {
    public static let formatNumber: UInt64 = 1

    /// The delta that makes `node` of `base`, both of them canonical bytes of nodes of one level.
    ///
    /// Items are matched by their names, which rise in both, so each is looked at once.
    ///
    /// - Throws: ``ObjectError`` `.malformed` for anything else.
    public static func encoded(from base: [UInt8], to node: [UInt8]) throws(ObjectError) -> [UInt8] {
        let (base, node) = (try NodeItems(base), try NodeItems(node))
        guard base.level == node.level else {
            throw ObjectError(.malformed, "a tree node of another level than its base")
        }
        var ops: [Op] = []
        var (old, new) = (0, 0)
        while new < node.items.count {
            let gap = (old: old, new: new)
            while old < base.items.count || new < node.items.count {
                let oldName = old < base.items.count ? base.name(old) : nil
                let newName = new < node.items.count ? node.name(new) : nil
                if let oldName, let newName, oldName == newName {
                    if base.item(old) == node.item(new) { break }
                    (old, new) = (old + 1, new + 1)
                } else if let oldName, newName.map({ oldName.lexicographicallyPrecedes($0) }) ?? true {
                    old += 1
                } else {
                    new += 1
                }
            }
            // What the base has after the last copy is left out without a word.
            if old > gap.old, new < node.items.count { ops.append(.skip(old - gap.old)) }
            for index in gap.new..<new { ops.append(.item(node.item(index))) }
            let copied = new
            while old < base.items.count, new < node.items.count, base.item(old) == node.item(new) {
                (old, new) = (old + 1, new + 1)
            }
            if new > copied { ops.append(.copy(new - copied)) }
        }
        return encoded(format: node.format, level: node.level, ops)
    }

    private enum Op {
        case copy(Int)
        case skip(Int)
        case item(ArraySlice<UInt8>)
    }

    private static func encoded(format: UInt64, level: Int, _ ops: [Op]) -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 4)
        writer.unsigned(formatNumber)
        writer.unsigned(format)
        writer.unsigned(UInt64(level))
        writer.array(count: ops.count)
        for op in ops {
            switch op {
            case .copy(let count): writer.unsigned(UInt64(count))
            case .skip(let count): writer.signed(-Int64(count))
            case .item(let bytes): writer.items(bytes)
            }
        }
        return writer.bytes
    }

    /// The bytes of the node that `delta` makes of `base`. They take no more than both together.
    ///
    /// - Throws: ``ObjectError`` `.malformed` where the base has not the form of a node, or the delta is none of it.
    public static func node(from base: [UInt8], _ delta: [UInt8]) throws(ObjectError) -> [UInt8] {
        let base = try NodeItems(base)
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
        guard try reader.unsigned() == UInt64(base.level) else {
            throw reader.malformed("delta of another level than its base")
        }
        var items = CBORWriter()
        var count = 0
        var next = 0
        var last: Last?
        var isSkipping = false
        for _ in 0..<(try reader.array()) {
            let made: Int
            if reader.isArray {
                items.items(try reader.item())
                (made, last) = (1, .item)
            } else if reader.isNegative {
                next = try base.index(next, after: ~(try reader.signed()), plus: 1, &reader)
                guard last == nil || last == .copy else { throw reader.malformed("a skip out of its place") }
                (made, last, isSkipping) = (0, .skip, true)
            } else {
                let from = next
                next = try base.index(next, after: Int64(clamping: try reader.unsigned()), plus: 0, &reader)
                guard next > from, last != .copy else { throw reader.malformed("a copy out of its place") }
                items.items(base.items(from..<next))
                (made, last, isSkipping) = (next - from, .copy, false)
            }
            count += made
            guard count <= TreeNode.itemCountMax else { throw reader.malformed("node of too many items") }
        }
        guard !isSkipping else { throw reader.malformed("a skip to nowhere") }
        try reader.end()
        return NodeItems.header(format: format, level: base.level, count: count) + items.bytes
    }

    /// What came last decides what may come next, so that there is one way to say a thing: what is skipped comes
    /// before what takes its place, and a copy after it.
    private enum Last { case copy, skip, item }
}

/// A node's items as bytes, not looked into but for their names.
private struct NodeItems {
    let format: UInt64
    let level: Int
    private let bytes: [UInt8]
    let items: [Range<Int>]
    private let names: [Range<Int>]

    /// - Throws: ``ObjectError`` `.malformed` for what has not the form of a node.
    init(_ bytes: [UInt8]) throws(ObjectError) {
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
        for _ in 0..<count {
            // The name is the first of an item's fields.
            let start = reader
            guard try reader.array() > 0 else { throw reader.malformed("an item without a name") }
            names.append(try reader.byteStringRange())
            reader = start
            items.append(try reader.item().indices)
        }
        try reader.end()
        self.bytes = bytes
        self.items = items
        self.names = names
    }

    func item(_ index: Int) -> ArraySlice<UInt8> { bytes[items[index]] }

    func name(_ index: Int) -> ArraySlice<UInt8> { bytes[names[index]] }

    /// Several that follow each other; at least one.
    func items(_ range: Range<Int>) -> ArraySlice<UInt8> {
        bytes[items[range.lowerBound].lowerBound..<items[range.upperBound - 1].upperBound]
    }

    /// The index `count + more` items after `index`, which may be the end.
    func index(
        _ index: Int, after count: Int64, plus more: Int64, _ reader: inout CBORReader
    ) throws(ObjectError) -> Int {
        guard count <= Int64(items.count - index) - more else {
            throw reader.malformed("more items than the base has")
        }
        return index + Int(count + more)
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
