internal import Objects

/// A tree node as it is at hand: decoded where somebody has needed that before.
enum FoundNode {
    case leaf([TreeEntry])
    case inner(level: Int, [TreeNode.Child])
    /// Of either kind.
    case encoded(NodeItems)

    init(_ node: TreeNode) {
        self =
            switch node {
            case .leaf(let entries): .leaf(entries)
            case .inner(let level, let children): .inner(level: level, children)
            }
    }

    var level: Int {
        switch self {
        case .leaf: 0
        case .inner(let level, _): level
        case .encoded(let items): items.level
        }
    }

    /// None of a leaf.
    func children() throws(ObjectError) -> [TreeNode.Child] {
        switch self {
        case .leaf: return []
        case .inner(_, let children): return children
        case .encoded(let items):
            guard case .inner(_, let children) = try TreeNode(decoding: items.bytes) else { return [] }
            return children
        }
    }

    // MARK: Entries of a leaf

    var entryCount: Int {
        switch self {
        case .leaf(let entries): entries.count
        case .inner: 0
        case .encoded(let items): items.level == 0 ? items.count : 0
        }
    }

    func name(_ index: Int) -> ArraySlice<UInt8> {
        switch self {
        case .leaf(let entries): entries[index].name.bytes[...]
        case .inner: []
        case .encoded(let items): items.name(index)
        }
    }

    /// - Throws: ``ObjectError`` `.malformed` where that is no entry.
    func entry(_ index: Int) throws(ObjectError) -> TreeEntry {
        switch self {
        case .leaf(let entries): entries[index]
        case .inner: preconditionFailure("an inner node has no entries")
        case .encoded(let items): try items.entry(index)
        }
    }

    /// How many entries are known to be the same in both, one after the other, from these on. Neither is decoded for
    /// it.
    static func sameCount(_ a: FoundNode, _ index: Int, _ b: FoundNode, _ other: Int) -> Int {
        switch (a, b) {
        case (.leaf(let entries), .leaf(let others)):
            zip(entries[index...], others[other...]).prefix { $0 == $1 }.count
        case (.encoded(let items), .encoded(let others)): NodeItems.sameCount(items, index, others, other)
        default: 0
        }
    }
}
