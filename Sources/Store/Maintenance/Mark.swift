internal import Objects

/// Every tree node and blob that is in use, each looked at once, however many trees share it.
struct Mark {
    private(set) var nodes: Set<Digest> = []
    private(set) var blobs: Set<Digest> = []
    private let trees: TreeStore

    init(_ trees: TreeStore) {
        self.trees = trees
        // Workspaces start over it.
        nodes.insert(Digest.of(TreeNode.empty.encoded()))
    }

    /// Marks what a file or directory of `upper/` stands for.
    mutating func add(_ base: UpperMark.Base) throws(StoreError) {
        switch base {
        case .tree(let tree): try add(tree: tree)
        case .blob(let blob, _): blobs.insert(blob)
        }
    }

    /// Marks a directory's node and all that it reaches.
    mutating func add(tree root: Digest) throws(StoreError) {
        // Not by recursion: the depth of a tree is the user's.
        var pending = [root]
        while let digest = pending.popLast() {
            guard nodes.insert(digest).inserted else { continue }
            switch try trees.node(digest) {
            case .inner(_, let children): pending.append(contentsOf: children.map(\.digest))
            case .leaf(let entries):
                for entry in entries {
                    if let blob = entry.blob { blobs.insert(blob) }
                    if let tree = entry.tree { pending.append(tree) }
                }
            }
        }
    }
}
