internal import Objects
internal import SystemPackage

/// Every tree node and blob that is in use: of versions, and of what is staged over them. Each is looked at once,
/// however many versions share it.
struct Mark {
    private(set) var nodes: Set<Digest> = []
    private(set) var blobs: Set<Digest> = []
    private let trees: TreeStore

    init(_ trees: TreeStore) {
        self.trees = trees
        // Workspaces start over it.
        nodes.insert(Digest.of(TreeNode.empty.encoded()))
    }

    /// Marks a directory's node and all that it reaches.
    mutating func tree(_ root: Digest) throws(StoreError) {
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

    /// Marks what a workspace's `upper/` refers to, and its `next/`, which is its `upper/` to be after a commit
    /// whose swap failed. The gate must be closed: a name that is moved meanwhile could be missed.
    mutating func workspace(_ workspace: Workspace) throws(StoreError) {
        for name in [Workspace.upperName, Workspace.nextName] {
            var pending = [Place(directory: workspace.directory, path: name)]
            while let place = pending.popLast() {
                guard let found = try workspace.overlay.probe(place) else { continue }
                if let blob = found.reference?.digest { blobs.insert(blob) }
                if let tree = found.baseTree { try self.tree(tree) }
                guard found.isDirectory else { continue }
                let names = try system("list", place.display) { () throws(Errno) in
                    try Syscall.names(at: place.fd, place.path)
                }
                for name in names { pending.append(try place.child(name)) }
            }
        }
    }
}
