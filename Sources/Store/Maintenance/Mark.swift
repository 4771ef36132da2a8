internal import Objects

/// Everything that a set of trees refers to, each node visited once however many trees share it.
struct Mark {
    private let trees: TreeStore
    private(set) var nodes: Set<Digest> = []
    /// With the size each entry says it has.
    private(set) var blobs: [Digest: UInt64] = [:]

    init(_ trees: TreeStore) {
        self.trees = trees
    }

    mutating func add(blob digest: Digest, size: UInt64) { blobs[digest] = size }

    /// Marks a directory and all below it.
    ///
    mutating func add(tree root: Digest) throws(StoreError) {
        try add(tree: root) { (_, error) throws(StoreError) in throw error }
    }

    /// - Parameter unreadable: takes a node that cannot be read; where it throws, so does this.
    mutating func add(
        tree root: Digest, unreadable: (Digest, StoreError) throws(StoreError) -> Void
    ) throws(StoreError) {
        var pending = [root]
        while let digest = pending.popLast() {
            guard nodes.insert(digest).inserted else { continue }
            let node: TreeNode
            do throws(StoreError) { node = try trees.node(digest) } catch {
                try unreadable(digest, error)
                continue
            }
            switch node {
            case .inner(_, let children): pending.append(contentsOf: children.map(\.digest))
            case .leaf(let entries):
                for entry in entries {
                    switch entry.content {
                    case .blob(let blob): blobs[blob] = entry.size
                    case .tree(let tree, _): pending.append(tree)
                    case .target, .device, .none: break
                    }
                }
            }
        }
    }
}
