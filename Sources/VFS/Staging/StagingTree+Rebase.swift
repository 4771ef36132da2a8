public import Objects
internal import Store
internal import SystemPackage

// What happens to nodes the kernel knows when staging is laid over something else. The gate is closed.
extension StagingTree {
    /// A commit has sealed what was staged: nodes of `upper/` are nodes of the base now, but for files that stay
    /// staged. Numbers and open files stay.
    ///
    /// - Returns: listings, and names that must be looked up again: those of a hard link, which are files of their own from now on,
    ///   but for one that an open file keeps.
    func rebase() throws(VFSError) -> [Stale] {
        try lock.withLock { links throws(VFSError) in
            workspace.showSwapped()
            forgetBackings()
            hashing?.sealed()
            closeDirectories()
            // An open file without a name may have others, unknown to the table: it stays staged with them
            // if somebody writes to it, and is sealed otherwise.
            links.byBacking = links.byBacking.filter { _, node in
                if table.isLinked(node) { return false }
                if node.writeCount > 0 { return true }
                node.file?.becomeBlob()
                return false
            }
            guard let upper = try probe(try place(root)) else { throw VFSError(.ioError) }
            root.adopt(upper)
            try readTopNumber()
            var stale: [Stale] = []
            // Where most nodes are staged ones those of a directory are those that it holds.
            let ids = staged.ids
            let places = ids.count > table.count / 2 ? nil : table.places(of: ids)
            try rebaseChildren(of: root, places, &links, &stale)
            return stale
        }
    }

    /// - Parameter places: of all staged nodes, by the directory that holds them; nil where all that a directory holds are
    ///   to be taken for staged.
    private func rebaseChildren(
        of directory: StagingNode, _ places: [NodeID: [(name: FileName, node: Node)]]?, _ links: inout Links,
        _ stale: inout [Stale]
    ) throws(VFSError) {
        var held =
            places.map { $0[directory.id] ?? [] } ?? table.children(directory).map { ($0.key, $0.value) }
        // Numbers of hard links are others, and what cannot be sealed is gone.
        stale.append(.listing(directory.id))
        // More than tree nodes are kept decoded for are looked up in order, so that each is decoded once.
        if held.count > 100_000 { held.sort { $0.name < $1.name } }
        for (name, child) in held {
            guard let node = child as? StagingNode else { continue }
            if directory.isUpper, let upper = try probe(try place(directory, name)) {
                node.adopt(upper)
                // It stays staged under all its names.
                if upper.file.linkCount > 1, !node.isDirectory { links.byBacking[upper.file.inode] = node }
            } else if let entry = try baseEntry(name, in: directory) {
                // A name whose number is another is that of another file now: only one name of a file keeps it. Where
                // the kernel knows several of them it cannot say which one it means, so all are looked up again; but
                // a file that is open keeps that one, by which the next daemon finds it.
                let isParted = node.isSuperseded || table.links(node).count > 1
                let number = try baseNumber(name, in: directory)
                node.file?.becomeBlob(isParted: isParted)
                if number == node.inode, !isParted || node.openCount > 0 {
                    node.adopt(entry)
                    if !isParted { node.endStaged() }
                } else {
                    node.lastAttributes = Attributes(entry, inode: node.inode)
                    unname(node, directory, name, &stale)
                    // What who has it open goes on with.
                    if node.openCount > 0, !table.isLinked(node) { node.adopt(entry) }
                    continue
                }
            } else {
                // Skipped and not in the base either; `upper/` would have had it. Ask again.
                unname(node, directory, name, &stale)
                continue
            }
            if node.isDirectory { try rebaseChildren(of: node, places, &links, &stale) }
        }
    }

    private func unname(
        _ node: StagingNode, _ directory: StagingNode, _ name: FileName, _ stale: inout [Stale]
    ) {
        table.removeLink(directory, name)
        node.isSuperseded = node.openCount == 0 || !table.isLinked(node)
        stale.append(.name(parent: directory.id, name: name))
        // It has one link less.
        stale.append(node.isDirectory ? .listing(node.id) : .attributes(node.id))
    }

    /// Staging has something else at `paths` now: the nodes there and below lose their names, and open files
    /// go on with what they had.
    ///
    /// - Returns: names that must be looked up again.
    func replaced(_ paths: [TreePath]) throws(VFSError) -> [Stale] {
        try lock.withLock { links throws(VFSError) in
            workspace.showSwapped()
            closeDirectories()
            forgetBackings()
            guard let upper = try probe(try place(root)) else { throw VFSError(.ioError) }
            root.adopt(upper)
            try readTopNumber()
            var stale: [Stale] = []
            for path in paths {
                guard let last = path.names.last else {
                    for (name, child) in table.children(root) { try cut(root, name, child, &stale) }
                    stale.append(.listing(root.id))
                    try appearAtTop(&stale)
                    continue
                }
                guard let parent = try refresh(path.names.dropLast(), &stale) else { continue }
                stale.append(.listing(parent.id))
                parent.noteReplacedNames()
                if let child = table.child(parent, last) {
                    try cut(parent, last, child, &stale)
                } else {
                    stale.append(.name(parent: parent.id, name: last))
                }
            }
            return stale
        }
    }

    /// The directory at `names`, each one on the way as `upper/` has it now; nil where the kernel does not know it.
    private func refresh(
        _ names: ArraySlice<FileName>, _ stale: inout [Stale]
    ) throws(VFSError) -> StagingNode? {
        var current = root
        for name in names {
            guard let next = table.child(current, name) as? StagingNode else {
                // It may know that there was none.
                stale += [.name(parent: current.id, name: name), .listing(current.id)]
                current.noteReplacedNames()
                return nil
            }
            if let upper = try probe(try place(next)), !upper.isWhiteout { next.adopt(upper) }
            current = next
        }
        return current
    }

    /// Names of the top directory that the kernel knew to be absent: what lies below it is looked up again anyway.
    private func appearAtTop(_ stale: inout [Stale]) throws(VFSError) {
        guard let absent = topAbsences.withLock({ $0.take() }) else { return try appear(in: root, &stale) }
        stale += absent.map { .name(parent: root.id, name: $0) }
    }

    /// Names that `directory` may not have had before: the kernel may know that there were none.
    private func appear(in directory: StagingNode, _ stale: inout [Stale]) throws(VFSError) {
        for item in try listing(of: directory) where table.child(directory, item.name) == nil {
            stale.append(.name(parent: directory.id, name: item.name))
        }
    }

    /// What the kernel is to forget that was told to it by a daemon that is gone.
    ///
    /// - Parameter wereReplaced: whether names may have changed of which it was not told.
    /// - Returns: also why some directories could not be looked at.
    func resumedListings(wereReplaced: Bool) -> (stale: [Stale], failures: [VFSError]) {
        // What the daemon before has said is absent is not known.
        topAbsences.withLock { $0.isComplete = false }
        return lock.withLock { _ in
            var (stale, failures): ([Stale], [VFSError]) = ([], [])
            var directories = [root]
            while let directory = directories.popLast() {
                stale.append(.listing(directory.id))
                if wereReplaced {
                    do throws(VFSError) { try appear(in: directory, &stale) } catch { failures.append(error) }
                }
                directories += table.children(directory).values.compactMap { $0 as? StagingNode }
                    .filter(\.isDirectory)
            }
            return (stale, failures)
        }
    }

    private func cut(
        _ parent: StagingNode, _ name: FileName, _ child: Node, _ stale: inout [Stale]
    ) throws(VFSError) {
        if let node = child as? StagingNode {
            for (below, grandchild) in table.children(node) { try cut(node, below, grandchild, &stale) }
        }
        table.removeLink(parent, name)
        if let node = child as? StagingNode, !table.isLinked(node) {
            node.isSuperseded = true
            node.lastAttributes?.linkCount = 0
        }
        stale.append(.name(parent: parent.id, name: name))
        // For who still has it open or stands in it: it has no name any more, and holds nothing.
        stale.append(child.isDirectory ? .listing(child.id) : .attributes(child.id))
    }
}

/// Something the kernel may remember and must not.
public enum Stale: Hashable, Sendable {
    /// What a name in a directory stands for.
    case name(parent: NodeID, name: FileName)
    /// What `stat` says of a node.
    case attributes(NodeID)
    /// What a directory lists, and what `stat` says of it.
    case listing(NodeID)
}
