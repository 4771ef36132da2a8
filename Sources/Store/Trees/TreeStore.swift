public import Objects

/// Reads directory trees by digest. A directory's nodes never change, so what was decoded once is kept as long
/// as there is room. Safe from any thread.
public final class TreeStore: Sendable {
    private let fetch: @Sendable (Digest) throws(StoreError) -> [UInt8]
    private let cache = Lock(NodeCache())
    /// How many directories nodes hold, which for a large directory takes reading all of them.
    private let directoryCounts = Lock([Digest: UInt64]())
    private static let directoryCountsMax = 65_536

    /// - Parameter fetch: the stored bytes of a node.
    init(fetch: @escaping @Sendable (Digest) throws(StoreError) -> [UInt8]) {
        self.fetch = fetch
    }

    /// - Throws: ``StoreError`` `.damaged` when the node is missing, malformed, or not what its digest says.
    public func node(_ digest: Digest) throws(StoreError) -> TreeNode {
        if let node = cache.withLock({ $0.find(digest) }) { return node }
        let bytes = try bytes(of: digest)
        let node = try TreeStore.reading(digest) { () throws(ObjectError) in try TreeNode(decoding: bytes) }
        cache.withLock { $0.keep(digest, node) }
        return node
    }

    /// What ``node(_:)`` gives, but not decoded where that has not been done before.
    func find(_ digest: Digest) throws(StoreError) -> FoundNode {
        if let node = cache.withLock({ $0.find(digest) }) { return FoundNode(node) }
        let bytes = try bytes(of: digest)
        return try TreeStore.reading(digest) { () throws(ObjectError) in
            let items = try NodeItems(bytes)
            try items.requireOrder()
            return .encoded(items)
        }
    }

    private func bytes(of digest: Digest) throws(StoreError) -> [UInt8] {
        let bytes = try fetch(digest)
        guard Digest.of(bytes) == digest else {
            throw StoreError(.damaged, "a tree node's bytes do not match its digest", subject: digest.hex)
        }
        return bytes
    }

    /// Runs what reads the bytes of a node.
    static func reading<Result>(
        _ digest: Digest, _ body: () throws(ObjectError) -> Result
    ) throws(StoreError) -> Result {
        do throws(ObjectError) { return try body() } catch {
            throw StoreError(.damaged, "a tree node cannot be read: \(error.message)", subject: digest.hex)
        }
    }

    /// Takes a node that was made just now, which somebody will soon read.
    func keep(_ digest: Digest, _ node: TreeNode) { cache.withLock { $0.keep(digest, node) } }

    /// Gives up what was decoded, to be read again when it is asked for.
    public func forgetDecoded() {
        let gone = cache.withLock { cache in
            defer { cache = NodeCache() }
            return cache
        }
        withExtendedLifetime(gone) {}
    }

    /// The entry `name` of the directory whose root node is `directory`; nil where there is none.
    public func entry(_ name: FileName, in directory: Digest) throws(StoreError) -> TreeEntry? {
        try numberedEntry(name, in: directory)?.entry
    }

    /// The same, with how many entries come before it in order of name.
    public func numberedEntry(
        _ name: FileName, in directory: Digest
    ) throws(StoreError) -> (number: UInt64, entry: TreeEntry)? {
        var digest = directory
        var before: UInt64 = 0
        while true {
            switch try node(digest) {
            case .leaf(let entries):
                let index = entries.partitioningIndex { !($0.name < name) }
                guard index < entries.count, entries[index].name == name else { return nil }
                return (before + UInt64(index), entries[index])
            case .inner(_, let children):
                let index = children.partitioningIndex { !($0.lastName < name) }
                guard index < children.count else { return nil }
                for child in children[..<index] { before &+= child.count }
                digest = children[index].digest
            }
        }
    }

    /// The entry before which `number` others come; nil where there are not so many.
    public func entry(numbered number: UInt64, in directory: Digest) throws(StoreError) -> TreeEntry? {
        var digest = directory
        var rest = number
        while true {
            switch try node(digest) {
            case .leaf(let entries): return rest < entries.count ? entries[Int(rest)] : nil
            case .inner(_, let children):
                var next: Digest?
                for child in children {
                    if rest < child.count {
                        next = child.digest
                        break
                    }
                    rest -= child.count
                }
                guard let next else { return nil }
                digest = next
            }
        }
    }

    /// The entry at `path` below `root`; nil where there is none, or where it leads through a non-directory.
    public func entry(at path: TreePath, below root: TreeEntry) throws(StoreError) -> TreeEntry? {
        var current = root
        for name in path.names {
            guard let tree = current.tree, let next = try entry(name, in: tree) else { return nil }
            current = next
        }
        return current
    }

    /// All entries of the directory whose root node is `directory`, in order of name.
    public func entries(in directory: Digest) throws(StoreError) -> [TreeEntry] {
        var result: [TreeEntry] = []
        try forEachLeaf(of: directory) { (entries) throws(StoreError) in result.append(contentsOf: entries) }
        return result
    }

    /// The same, leaf by leaf, for directories that need not be in memory at once.
    public func forEachLeaf(
        of directory: Digest, _ body: ([TreeEntry]) throws(StoreError) -> Void
    ) throws(StoreError) {
        switch try node(directory) {
        case .leaf(let entries): try body(entries)
        case .inner(_, let children):
            for child in children { try forEachLeaf(of: child.digest, body) }
        }
    }

    /// How many entries of the directory whose root node is `directory` are directories. Counted once for each node,
    /// so that after a change only the nodes on the way to it are read again.
    public func directoryCount(in directory: Digest) throws(StoreError) -> UInt64 {
        if let known = directoryCounts.withLock({ $0[directory] }) { return known }
        var count: UInt64 = 0
        switch try node(directory) {
        case .leaf(let entries):
            for entry in entries where entry.kind == .directory { count += 1 }
        case .inner(_, let children):
            for child in children { count += try directoryCount(in: child.digest) }
        }
        directoryCounts.withLock {
            if $0.count >= TreeStore.directoryCountsMax { $0.removeAll() }
            $0[directory] = count
        }
        return count
    }

    /// Every entry below `directory` at any depth, parents before children, in order of name.
    public func walk(
        _ directory: Digest, at path: TreePath = .root,
        _ body: (TreePath, TreeEntry) throws(StoreError) -> Void
    ) throws(StoreError) {
        // Not by recursion: the depth of a tree is the user's.
        var levels = [WalkLevel(path: path, nodes: [directory])]
        while let last = levels.indices.last {
            if let entry = levels[last].entries.popFirst() {
                let entryPath = levels[last].path.appending(entry.name)
                try body(entryPath, entry)
                if let tree = entry.tree { levels.append(WalkLevel(path: entryPath, nodes: [tree])) }
            } else if let next = levels[last].nodes.popLast() {
                switch try node(next) {
                case .leaf(let entries): levels[last].entries = entries[...]
                case .inner(_, let children):
                    levels[last].nodes.append(contentsOf: children.reversed().map(\.digest))
                }
            } else {
                levels.removeLast()
            }
        }
    }

    /// A directory on the way to where a walk is.
    private struct WalkLevel {
        let path: TreePath
        /// What is still to be visited: nodes, the next one last, after the entries of the one before.
        var nodes: [Digest]
        var entries: ArraySlice<TreeEntry> = []
    }
}

/// Decoded nodes in two halves: when the young half is full it becomes the old one, whose nodes come back when
/// they are asked for and are dropped with it when they are not.
private struct NodeCache {
    private var young: [Digest: TreeNode] = [:]
    private var old: [Digest: TreeNode] = [:]
    private var youngItemCount = 0

    /// Entries and children in one half, at about 200 bytes each: enough for who opens the files of a data set in no
    /// order, again and again.
    static let itemCountMax = 131_072

    mutating func find(_ digest: Digest) -> TreeNode? {
        if let node = young[digest] { return node }
        guard let node = old[digest] else { return nil }
        keep(digest, node)
        return node
    }

    mutating func keep(_ digest: Digest, _ node: TreeNode) {
        let items =
            switch node {
            case .leaf(let entries): entries.count
            case .inner(_, let children): children.count
            }
        if youngItemCount + items > NodeCache.itemCountMax, !young.isEmpty {
            old = young
            young = [:]
            youngItemCount = 0
        }
        if young.updateValue(node, forKey: digest) == nil { youngItemCount += items }
    }
}

extension Array {
    /// The first index whose element satisfies `belongsInSecond`, given that all after it do: binary search.
    package func partitioningIndex(where belongsInSecond: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if belongsInSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
