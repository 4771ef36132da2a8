public import Objects

/// One path that two trees do not agree on.
public struct TreeDifference: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case added, removed
        /// Other bytes, another target or another device.
        case changed
        /// A file became a directory, and the like.
        case type
        /// The same content with another mode, owner, time or extended attribute.
        case attributes
    }

    public let path: TreePath
    public let kind: Kind
    /// nil where it was added.
    public let old: TreeEntry?
    /// nil where it was removed.
    public let new: TreeEntry?
}

/// Compares two trees by skipping what has the same digest on both sides: the cost follows the difference.
public struct TreeDiff: Sendable {
    private let trees: TreeStore
    private let ignoresDirectoryTimes: Bool

    /// - Parameter ignoresDirectoryTimes: a directory that differs in nothing but its mtime is not reported; its
    ///   time follows from what happened below it.
    public init(_ trees: TreeStore, ignoresDirectoryTimes: Bool = true) {
        self.trees = trees
        self.ignoresDirectoryTimes = ignoresDirectoryTimes
    }

    /// The differences in order of path, a directory before what is below it. Everything below an added or
    /// removed directory is reported as well.
    public func differences(
        from old: TreeEntry?, to new: TreeEntry?, at path: TreePath = .root
    ) throws(StoreError) -> [TreeDifference] {
        var result: [TreeDifference] = []
        try forEachDifference(from: old, to: new, at: path) { difference throws(StoreError) in
            result.append(difference)
            return true
        }
        return result
    }

    /// Whether there is any difference; stops at the first.
    public func areEqual(_ old: TreeEntry, _ new: TreeEntry) throws(StoreError) -> Bool {
        try forEachDifference(from: old, to: new, at: .root) { _ throws(StoreError) in false }
    }

    /// - Parameter body: returns whether to go on.
    /// - Returns: whether the end was reached.
    @discardableResult
    public func forEachDifference(
        from old: TreeEntry?, to new: TreeEntry?, at path: TreePath,
        _ body: (TreeDifference) throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        // Not by recursion: the depth of a tree is the user's.
        var levels: [Level] = []
        guard try visit(old, new, path, &levels, body) else { return false }
        while let last = levels.indices.last {
            guard let (name, old, new) = levels[last].next() else {
                levels.removeLast()
                continue
            }
            guard try visit(old, new, levels[last].path.appending(name), &levels, body) else { return false }
        }
        return true
    }

    /// Reports how two entries differ in themselves, and adds a level where something below them does.
    private func visit(
        _ old: TreeEntry?, _ new: TreeEntry?, _ path: TreePath, _ levels: inout [Level],
        _ body: (TreeDifference) throws(StoreError) -> Bool
    ) throws(StoreError) -> Bool {
        if old == new { return true }
        if let kind = kind(from: old, to: new) {
            guard try body(TreeDifference(path: path, kind: kind, old: old, new: new)) else { return false }
        }
        guard old?.content != new?.content, old?.tree != nil || new?.tree != nil else { return true }
        let (left, right) = try differing(old?.tree, new?.tree)
        levels.append(Level(path: path, left: left[...], right: right[...]))
        return true
    }

    /// Two directories that differ, on the way to where the comparison is.
    private struct Level {
        let path: TreePath
        /// What is still to be compared, in order of name.
        var left: ArraySlice<TreeEntry>
        var right: ArraySlice<TreeEntry>

        mutating func next() -> (name: FileName, old: TreeEntry?, new: TreeEntry?)? {
            // What only one side has decoded has not been compared yet.
            while let old = left.first, let new = right.first, old == new {
                left.removeFirst()
                right.removeFirst()
            }
            guard let old = left.first else { return right.popFirst().map { ($0.name, nil, $0) } }
            guard let new = right.first else { return left.popFirst().map { ($0.name, $0, nil) } }
            if old.name <= new.name { left.removeFirst() }
            if new.name <= old.name { right.removeFirst() }
            return (
                min(old.name, new.name), old.name <= new.name ? old : nil, new.name <= old.name ? new : nil
            )
        }
    }

    private func kind(from old: TreeEntry?, to new: TreeEntry?) -> TreeDifference.Kind? {
        guard let new else { return .removed }
        guard let old else { return .added }
        if old.kind != new.kind { return .type }
        if old.kind != .directory, old.content != new.content { return .changed }
        let isSameTime = old.mtime == new.mtime || (old.kind == .directory && ignoresDirectoryTimes)
        let isSame =
            old.mode == new.mode && old.uid == new.uid && old.gid == new.gid && old.xattrs == new.xattrs
            && isSameTime
        return isSame ? nil : .attributes
    }

    /// The entries of both directories that are not known to be on both sides.
    private func differing(
        _ old: Digest?, _ new: Digest?
    ) throws(StoreError) -> ([TreeEntry], [TreeEntry]) {
        var left = try Side(old, trees)
        var right = try Side(new, trees)
        while true {
            let shared = Set(left.digests).intersection(right.digests)
            left.drop(shared)
            right.drop(shared)
            if left.level == 0, right.level == 0 { break }
            let level = max(left.level, right.level)
            if left.level == level { try left.descend(trees) }
            if right.level == level { try right.descend(trees) }
        }
        return try Leaves.differing(try left.nodes(trees), try right.nodes(trees))
    }

    /// Nodes of one directory, all of one level, that may differ from the other side's.
    private struct Side {
        var digests: [Digest]
        var level: Int
        /// The directory's root, which was read to learn its level, as long as it is the only one.
        private var root: FoundNode?

        init(_ root: Digest?, _ trees: TreeStore) throws(StoreError) {
            digests = root.map { [$0] } ?? []
            self.root = try root.map { root throws(StoreError) in try trees.find(root) }
            level = self.root?.level ?? 0
        }

        mutating func drop(_ shared: Set<Digest>) {
            if !shared.isEmpty { digests.removeAll { shared.contains($0) } }
        }

        mutating func descend(_ trees: TreeStore) throws(StoreError) {
            var below: [Digest] = []
            for (digest, node) in try nodes(trees) {
                let children = try TreeStore.reading(digest, node.children)
                below.append(contentsOf: children.map(\.digest))
            }
            (digests, root) = (below, nil)
            level -= 1
        }

        func nodes(_ trees: TreeStore) throws(StoreError) -> [(Digest, FoundNode)] {
            if let root, let digest = digests.first { return [(digest, root)] }
            return try digests.map { digest throws(StoreError) in (digest, try trees.find(digest)) }
        }
    }
}

/// Entries of leaves that are not known to have an equal on the other side.
///
/// Most of two versions of a directory is the same, and what has not been decoded before is compared as bytes.
private struct Leaves {
    private var nodes: ArraySlice<(digest: Digest, node: FoundNode)>
    /// The first node's entry that comes next.
    private var index = 0
    private var entries: [TreeEntry] = []

    private init(_ nodes: [(digest: Digest, node: FoundNode)]) {
        self.nodes = nodes[...]
        skipEnded()
    }

    static func differing(
        _ left: [(digest: Digest, node: FoundNode)], _ right: [(digest: Digest, node: FoundNode)]
    ) throws(StoreError) -> ([TreeEntry], [TreeEntry]) {
        var (left, right) = (Leaves(left), Leaves(right))
        while let old = left.nodes.first?.node, let new = right.nodes.first?.node {
            let same = FoundNode.sameCount(old, left.index, new, right.index)
            left.pass(same)
            right.pass(same)
            if same > 0 { continue }
            let (before, after) = (old.name(left.index), new.name(right.index))
            if !after.lexicographicallyPrecedes(before) { try left.keep() }
            if !before.lexicographicallyPrecedes(after) { try right.keep() }
        }
        while !left.nodes.isEmpty { try left.keep() }
        while !right.nodes.isEmpty { try right.keep() }
        return (left.entries, right.entries)
    }

    private mutating func keep() throws(StoreError) {
        guard let (digest, node) = nodes.first else { return }
        entries.append(try TreeStore.reading(digest) { () throws(ObjectError) in try node.entry(index) })
        pass(1)
    }

    private mutating func pass(_ count: Int) {
        index += count
        skipEnded()
    }

    private mutating func skipEnded() {
        while let node = nodes.first?.node, index >= node.entryCount {
            nodes.removeFirst()
            index = 0
        }
    }
}
