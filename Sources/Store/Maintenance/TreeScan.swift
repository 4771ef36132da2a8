internal import Objects

/// Looks at every tree node of all versions once, and afterwards finds the paths that lead to bad ones.
final class TreeScan {
    private let catalog: Catalog
    /// What is known of each node that was looked at; its absence from ``sound`` says that it is bad.
    private var seen: Set<Digest> = []
    private var sound: [Digest: Sums] = [:]
    /// Every blob referred to, with its size.
    private(set) var sizes: [Digest: UInt64] = [:]
    private(set) var problems: [VerifyProblem] = []

    /// What a node says of all below it.
    private struct Sums {
        let level: Int
        let count: UInt64
        let files: UInt64
        let bytes: UInt64
    }

    init(_ catalog: Catalog) {
        self.catalog = catalog
    }

    var nodeCount: Int { seen.count }

    /// Looks at a version's tree, but for what was looked at already.
    func add(_ root: TreeEntry) throws(StoreError) {
        guard let tree = root.tree else { return }
        try look(tree)
        check(root, in: tree)
    }

    /// Looks at the node `root` and all that it reaches. Children are looked at before their parents are compared
    /// with them; not by recursion, since the depth of a tree is the user's.
    private func look(_ root: Digest) throws(StoreError) {
        var pending: [(digest: Digest, node: TreeNode?)] = [(root, nil)]
        while let (digest, node) = pending.popLast() {
            if let node {
                compare(node, digest)
                continue
            }
            guard seen.insert(digest).inserted, let node = try read(digest) else { continue }
            sound[digest] = Sums(
                level: node.level, count: node.count, files: node.files, bytes: node.bytes)
            pending.append((digest, node))
            switch node {
            case .inner(_, let children): pending += children.map { ($0.digest, nil) }
            case .leaf(let entries):
                for entry in entries {
                    if let blob = entry.blob { sizes[blob] = entry.size }
                    if let tree = entry.tree { pending.append((tree, nil)) }
                }
            }
        }
    }

    /// - Returns: nil for a bad one, of which a problem tells.
    private func read(_ digest: Digest) throws(StoreError) -> TreeNode? {
        do throws(StoreError) {
            let stored = try catalog.requiredNode(digest)
            let bytes = try stored.bytes(of: digest)
            guard Digest.of(bytes) == digest else {
                fail(digest, "the tree node's bytes do not match its digest" + TreeScan.explanation(stored))
                return nil
            }
            do throws(ObjectError) { return try TreeNode(decoding: bytes) } catch { throw StoreError(error) }
        } catch {
            guard error.code == .damaged else { throw error }
            fail(digest, error.message)
            return nil
        }
    }

    /// What is to be said of how a bad node is kept.
    private static func explanation(_ stored: StoredNode) -> String {
        guard case .delta(let delta, let baseBytes) = stored else { return "" }
        let isDamaged = baseBytes.map { Digest.of($0) != delta.base } ?? true
        return "; it is kept as a delta of \(delta.base.hex)" + (isDamaged ? ", which is damaged" : "")
    }

    private func compare(_ node: TreeNode, _ digest: Digest) {
        switch node {
        case .inner(let level, let children):
            for child in children {
                guard let sums = sound[child.digest] else { continue }
                let isSame =
                    sums.level == level - 1 && sums.count == child.count && sums.files == child.files
                    && sums.bytes == child.bytes
                if !isSame { return fail(digest, "the tree node says something else of a node below it") }
            }
        case .leaf(let entries):
            for entry in entries {
                if let tree = entry.tree { check(entry, in: tree, of: digest) }
            }
        }
    }

    private func check(_ entry: TreeEntry, in tree: Digest, of node: Digest? = nil) {
        guard let sums = sound[tree], sums.files != entry.files || sums.bytes != entry.size else { return }
        fail(node ?? tree, "the entry of a directory says something else of what is below it")
    }

    private func fail(_ digest: Digest, _ message: String) {
        problems.append(VerifyProblem(.node, digest, message))
    }

    // MARK: Whom it hurts

    /// Adds to each problem the paths at which it shows. Parts of trees that lead to none are passed over.
    func locate(
        _ problems: [VerifyProblem], in versions: [(number: VersionNumber, manifest: Manifest)]
    ) throws(StoreError) -> [VerifyProblem] {
        if problems.isEmpty { return [] }
        var located = problems
        var index: [Digest: [Int]] = [:]
        for (position, problem) in problems.enumerated() {
            if let digest = problem.digest { index[digest, default: []].append(position) }
        }
        var leads = Leads(Set(index.keys)) { digest throws(StoreError) in try self.node(digest) }
        for version in versions {
            guard let tree = version.manifest.root.tree else { continue }
            try walk(tree, &leads) { digest, path in
                for position in index[digest] ?? [] { located[position].add(version.number, path) }
            }
        }
        return located
    }

    /// nil for a node that is bad in itself.
    private func node(_ digest: Digest) throws(StoreError) -> TreeNode? {
        guard sound[digest] != nil else { return nil }
        do throws(StoreError) {
            let bytes = try catalog.nodeBytes(digest)
            do throws(ObjectError) { return try TreeNode(decoding: bytes) } catch { throw StoreError(error) }
        } catch {
            // It was sound a moment ago: its versions were forgotten meanwhile.
            guard error.code == .damaged else { throw error }
            return nil
        }
    }

    private func walk(
        _ tree: Digest, _ leads: inout Leads, _ body: (Digest, TreePath) -> Void
    ) throws(StoreError) {
        try leads.look(tree)
        // The next one last; blobs among the nodes, to come in order of path.
        var pending: [(digest: Digest, isNode: Bool, path: TreePath)] = [(tree, true, .root)]
        while let (digest, isNode, path) = pending.popLast() {
            guard !isNode || leads.reach(digest) else { continue }
            body(digest, path)
            switch isNode ? try node(digest) : nil {
            case nil: break
            case .inner(_, let children):
                pending += children.reversed().map { ($0.digest, true, path) }
            case .leaf(let entries):
                for entry in entries.reversed() {
                    if let blob = entry.blob { pending.append((blob, false, path.appending(entry.name))) }
                    if let below = entry.tree { pending.append((below, true, path.appending(entry.name))) }
                }
            }
        }
    }
}

/// Which nodes lead to something wanted. Each is asked once, whatever number of versions share it.
private struct Leads {
    private let wanted: Set<Digest>
    private let node: (Digest) throws(StoreError) -> TreeNode?
    private var known: [Digest: Bool] = [:]

    init(_ wanted: Set<Digest>, node: @escaping (Digest) throws(StoreError) -> TreeNode?) {
        self.wanted = wanted
        self.node = node
    }

    /// - Parameter digest: of a node that was looked at, or of one below such a node.
    func reach(_ digest: Digest) -> Bool { known[digest] ?? false }

    /// Finds out for `root` and all nodes below it, from below.
    mutating func look(_ root: Digest) throws(StoreError) {
        var pending: [(digest: Digest, node: TreeNode?)] = [(root, nil)]
        while let (digest, node) = pending.popLast() {
            if let node {
                if below(node).contains(where: { wanted.contains($0) || reach($0) }) { known[digest] = true }
                continue
            }
            guard known[digest] == nil else { continue }
            known[digest] = wanted.contains(digest)
            guard let node = try self.node(digest) else { continue }
            pending.append((digest, node))
            switch node {
            case .inner(_, let children): pending += children.map { ($0.digest, nil) }
            case .leaf(let entries): pending += entries.compactMap(\.tree).map { ($0, nil) }
            }
        }
    }

    private func below(_ node: TreeNode) -> [Digest] {
        switch node {
        case .inner(_, let children): children.map(\.digest)
        case .leaf(let entries): entries.compactMap { $0.blob ?? $0.tree }
        }
    }
}
