public import Objects

/// What becomes of one name in a directory.
public enum TreeChange: Hashable, Sendable {
    case set(TreeEntry)
    case remove
}

/// A directory after an edit: what an entry for it needs to know.
public struct TreeSummary: Hashable, Sendable {
    public let digest: Digest
    /// Entries of the directory itself.
    public let count: UInt64
    /// Entries that are not directories, at any depth.
    public let files: UInt64
    /// Sum of sizes, at any depth.
    public let bytes: UInt64
}

/// Builds directories from others and changes, and keeps the new nodes until they are stored.
///
/// An edit reads and writes only the nodes that hold a changed name and their parents; all others are taken
/// over by digest. The result is the same, to the byte, as building the directory from nothing.
public struct TreeEditor: Sendable {
    private let trees: TreeStore
    /// Nodes made here, by digest; they are not in the catalog yet.
    public private(set) var newNodes: [Digest: [UInt8]] = [:]
    /// Of a new node, the one that stood in its place in the directory that was edited, as far as one did.
    public private(set) var predecessors: [Digest: Digest] = [:]

    public init(_ trees: TreeStore) {
        self.trees = trees
    }

    /// The directory `base` (or an empty one) with `changes` made to it.
    public mutating func edit(
        _ base: Digest?, _ changes: [FileName: TreeChange]
    ) throws(StoreError) -> TreeSummary {
        let sorted = changes.sorted { $0.key < $1.key }.map { Change(name: $0.key, change: $0.value) }
        var build = Build()
        if let base {
            try apply(sorted[...], to: base, level: nil, in: &build)
        } else {
            for case .set(let entry) in sorted.map(\.change) { build.append(entry) }
        }
        let root = try finish(&build)
        newNodes.merge(build.nodes) { first, _ in first }
        predecessors.merge(build.predecessors) { first, _ in first }
        for (digest, node) in build.made { trees.keep(digest, node) }
        return root
    }

    /// Keeps the nodes that another has made as well.
    mutating func add(_ other: TreeEditor) {
        newNodes.merge(other.newNodes) { first, _ in first }
        predecessors.merge(other.predecessors) { first, _ in first }
    }

    private struct Change {
        let name: FileName
        let change: TreeChange
    }

    /// Feeds the node `digest` with `changes` made to it into `build`.
    ///
    /// - Parameter level: the node's level as its parent knows it; nil for the root.
    private func apply(
        _ changes: ArraySlice<Change>, to digest: Digest, level: Int?, in build: inout Build
    ) throws(StoreError) {
        let node = try load(digest)
        if let level, node.level != level {
            throw StoreError(.damaged, "a tree node is at the wrong level", subject: digest.hex)
        }
        build.enter(digest, level: node.level)
        switch node {
        case .leaf(let entries): merge(changes, into: entries, in: &build)
        case .inner(let level, let children):
            var rest = changes
            for (index, child) in children.enumerated() {
                // Names after the last child's last name belong to the last child.
                let isLast = index == children.count - 1
                let end =
                    isLast ? rest.endIndex : rest.firstIndex { child.lastName < $0.name } ?? rest.endIndex
                let mine = rest[rest.startIndex..<end]
                rest = rest[end...]
                // A whole node can be taken over where it starts at a cut on every level below its own: it
                // then ends where building anew would end it.
                if mine.isEmpty, build.isAtCut(below: level) {
                    build.append(child, level: level)
                } else {
                    try apply(mine, to: child.digest, level: level - 1, in: &build)
                }
            }
        }
    }

    private func merge(_ changes: ArraySlice<Change>, into entries: [TreeEntry], in build: inout Build) {
        var rest = changes
        for entry in entries {
            while let change = rest.first, change.name < entry.name {
                if case .set(let new) = change.change { build.append(new) }
                rest.removeFirst()
            }
            if let change = rest.first, change.name == entry.name {
                if case .set(let new) = change.change { build.append(new) }
                rest.removeFirst()
            } else {
                build.append(entry)
            }
        }
        for case .set(let new) in rest.map(\.change) { build.append(new) }
    }

    /// Closes what is open on each level and descends to the lowest node that is alone on its level.
    private func finish(_ build: inout Build) throws(StoreError) -> TreeSummary {
        var root = build.close()
        while case .inner(let level, let children) = try load(root.digest, orNew: build.nodes),
            level > 0, children.count == 1
        {
            root = children[0]
        }
        return TreeSummary(digest: root.digest, count: root.count, files: root.files, bytes: root.bytes)
    }

    private func load(_ digest: Digest, orNew extra: [Digest: [UInt8]] = [:]) throws(StoreError) -> TreeNode {
        guard let bytes = extra[digest] ?? newNodes[digest] else { return try trees.node(digest) }
        do throws(ObjectError) { return try TreeNode(decoding: bytes) } catch { throw StoreError(error) }
    }
}

/// The nodes under construction: one open node on each level.
private struct Build {
    private var entries: [TreeEntry] = []
    /// Index i holds the open node of level i + 1.
    private var children: [[TreeNode.Child]] = []
    private(set) var nodes: [Digest: [UInt8]] = [:]
    private(set) var made: [(Digest, TreeNode)] = []
    private(set) var predecessors: [Digest: Digest] = [:]
    /// By level, the node of the base that items come from just now.
    private var sources: [Digest?] = []
    /// By level, the node of the base that the first item of the open node came from.
    private var origins: [Digest?] = []

    /// What is appended from now on comes from this node of the base.
    mutating func enter(_ digest: Digest, level: Int) {
        while sources.count <= level { sources.append(nil) }
        sources[level] = digest
    }

    private mutating func begin(level: Int) {
        while origins.count <= level { origins.append(nil) }
        origins[level] = level < sources.count ? sources[level] : nil
    }

    /// Whether all levels below `level` have just been cut.
    func isAtCut(below level: Int) -> Bool {
        entries.isEmpty && children.prefix(level - 1).allSatisfy(\.isEmpty)
    }

    mutating func append(_ entry: TreeEntry) {
        if entries.isEmpty { begin(level: 0) }
        entries.append(entry)
        if entries.count == TreeNode.itemCountMax || NameHash.ends(entry.name, level: 0) { cutLeaf() }
    }

    /// - Parameter level: the level of the node that will hold `child`.
    mutating func append(_ child: TreeNode.Child, level: Int) {
        while children.count < level { children.append([]) }
        if children[level - 1].isEmpty { begin(level: level) }
        children[level - 1].append(child)
        if children[level - 1].count == TreeNode.itemCountMax || NameHash.ends(child.lastName, level: level) {
            cutInner(level)
        }
    }

    /// Cuts every level from below and returns the topmost node.
    mutating func close() -> TreeNode.Child {
        if !entries.isEmpty { cutLeaf() }
        var level = 1
        while level <= children.count {
            let open = children[level - 1]
            let isTop = children.dropFirst(level).allSatisfy(\.isEmpty)
            if isTop, open.count == 1 { return open[0] }
            if !open.isEmpty { cutInner(level) }
            level += 1
        }
        return store(TreeNode.empty, lastName: .root)
    }

    private mutating func cutLeaf() {
        guard let last = entries.last else { return }
        let child = store(.leaf(entries), lastName: last.name)
        entries.removeAll(keepingCapacity: true)
        append(child, level: 1)
    }

    private mutating func cutInner(_ level: Int) {
        guard let last = children[level - 1].last else { return }
        let child = store(.inner(level: level, children[level - 1]), lastName: last.lastName)
        children[level - 1].removeAll(keepingCapacity: true)
        append(child, level: level + 1)
    }

    private mutating func store(_ node: TreeNode, lastName: FileName) -> TreeNode.Child {
        let bytes = node.encoded()
        let digest = Digest.of(bytes)
        nodes[digest] = bytes
        made.append((digest, node))
        if node.level < origins.count, let origin = origins[node.level], origin != digest {
            predecessors[digest] = origin
        }
        return TreeNode.Child(
            lastName: lastName, digest: digest, count: node.count, files: node.files, bytes: node.bytes)
    }
}
