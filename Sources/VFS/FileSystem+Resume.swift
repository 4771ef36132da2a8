internal import Objects
internal import Store
internal import SystemPackage

// Going on where another daemon ended: the kernel still uses its numbers.
extension FileSystem {
    /// The kernel knows of all that ``resume()`` has found.
    public func resumed() {
        if replacingCount.withLock({ $0 > 0 }) { noteReplacing(false) }
    }

    public struct Resumed: Sendable {
        /// What the kernel must forget.
        public let stale: [Stale]
        /// Why some of what it knows could not be looked at.
        public let failures: [VFSError]
    }

    /// Gives every node and open file that the record names its number back. To be called before the first request.
    ///
    /// What cannot be had again, since its version was forgotten, its bytes are gone or its directory denies it now,
    /// answers ESTALE or EBADF.
    ///
    /// - Throws: ``VFSError`` where there is no record, or one that makes no sense.
    public func resume() throws(VFSError) -> Resumed {
        guard let record else { throw VFSError(.invalidArgument, "there is no record of the mount") }
        var known = try called { () throws(Errno) in try record.recorded() }
        table.resume(from: known.nextNode)
        files.resume(from: known.nextHandle)
        var failures: [VFSError] = []
        finishMove(&known, &failures)
        finishedMoves.withLock { [movers = known.movers] in $0 = movers }
        begunCommits.withLock { [commits = known.commits] in $0 = commits }
        var restoring = Restoring(known)
        for id in known.nodes.keys { restore(id, &restoring) }
        failures += restoring.failures
        reopen(known)
        // What cannot be removed now is removed at the next start.
        attempt(&failures) { () throws(VFSError) in
            try stored { () throws(StoreError) in
                try staging.workspace.unlinked.discardAll(but: Set(restoring.nameless.map(\.value)))
            }
        }
        let listings = staging.resumedListings(wereReplaced: known.isReplacing)
        restoring.stale += listings.stale
        failures += listings.failures
        if known.isReplacing {
            replacingCount.withLock { count in
                count += 1
                staging.noteReplacing(true)
            }
        }
        return Resumed(stale: restoring.stale + staleVersions(known), failures: failures)
    }

    /// One thing that cannot be looked at is no reason to lose all others with the mount.
    @discardableResult
    private func attempt<Result>(
        _ failures: inout [VFSError], _ body: () throws(VFSError) -> Result?
    ) -> Result? {
        do throws(VFSError) { return try body() } catch {
            failures.append(error)
            return nil
        }
    }

    /// Versions and tags may have changed while no daemon could say so.
    private func staleVersions(_ known: RecordedMount) -> [Stale] {
        let directory = versionsDirectory.id
        let aliases = known.names.filter {
            $0.key.parent == directory && table.node($0.value) is VersionAlias
        }
        return [.attributes(directory)] + aliases.keys.map { .name(parent: directory, name: $0.name) }
    }

    private struct Restoring {
        let known: RecordedMount
        /// Of which the kernel has open files.
        let isOpen: Set<NodeID>
        /// nil for what could not be had.
        var nodes: [NodeID: Node?] = [:]
        var nameless: [NodeID] = []
        var stale: [Stale] = []
        var failures: [VFSError] = []

        init(_ known: RecordedMount) {
            self.known = known
            isOpen = Set(known.files.values.map(\.node))
        }
    }

    /// A rename that had begun may have been carried out: then names are what they are since.
    private func finishMove(_ known: inout RecordedMount, _ failures: inout [VFSError]) {
        guard let move = known.unfinished else { return }
        // Its directories have not moved since the record of the rename, the last one.
        var restoring = Restoring(known)
        guard let parent = restore(move.parent, &restoring) as? StagingNode,
            let newParent = restore(move.newParent, &restoring) as? StagingNode
        else { return }
        let wasCarriedOut = attempt(&failures) { () throws(VFSError) in
            try staging.wasCarriedOut(move, from: parent, to: newParent)
        }
        guard wasCarriedOut == true else { return }
        let isExchange = attempt(&failures) { () throws(VFSError) in
            try parent.child(move.name).map { node in
                table.dropIfUnused(node)
                return true
            }
        }
        known.finish(isExchange: isExchange ?? false)
        // For the daemon after this one, too: the kernel may still have to send it again then.
        record?.append(isExchange ?? false ? .exchanged(move) : .moved(move))
    }

    /// The node of that number, made again at its names, and before it the directories above.
    @discardableResult
    private func restore(_ id: NodeID, _ restoring: inout Restoring) -> Node? {
        if let present = table.node(id) { return present }
        if let tried = restoring.nodes[id] { return tried }
        guard let record = restoring.known.nodes[id] else { return nil }
        var found: Node?
        var lost: [Stale] = []
        for link in record.names {
            guard let parent = restore(link.parent, &restoring) else { continue }
            // The first of its names that still leads to it gives the node its number; others lead to that node, or
            // to something of its own by now: the second name of a hard link that was sealed, for instance.
            let node = attempt(&restoring.failures) { () throws(VFSError) in
                found == nil
                    ? try table.restoring(id) { () throws(VFSError) in try parent.child(link.name) }
                    : try parent.child(link.name)
            }
            if let node, node.id == id, node.inode == record.inode {
                found = node
            } else {
                if let node { table.takeBack(node, ifItIs: id) }
                lost.append(.name(parent: parent.id, name: link.name))
            }
        }
        // The kernel cannot say by which of its names it means one: see `StagingTree.rebase`.
        if !lost.isEmpty, let parted = found, !restoring.isOpen.contains(id) {
            table.takeBack(parted, ifItIs: id)
            lost += record.names.map { .name(parent: $0.parent, name: $0.name) }
            found = nil
        }
        restoring.stale += lost
        if record.names.isEmpty {
            found = attempt(&restoring.failures) { () throws(VFSError) in
                try table.restoring(id) { () throws(VFSError) in
                    try staging.keptNode(id, inode: record.inode)
                }
            }
            if found != nil { restoring.nameless.append(id) }
        }
        restoring.nodes[id] = .some(found)
        return found
    }

    private func reopen(_ known: RecordedMount) {
        let registration = registration.withLock { $0 }
        let backings = Dictionary(
            uniqueKeysWithValues: known.backings.map { ($0, KnownBacking(id: $0, registration)) })
        var unused = known.backings
        // Writers first: they decide what file all handles of a node share.
        for (id, file) in known.files.sorted(by: { $0.value.mode.writes && !$1.value.mode.writes }) {
            unanswered.withLock { $0[file.request] = id }
            // What cannot be opened again answers EBADF.
            guard let node = try? node(file.node),
                let handle = try? node.reopen(file.mode, backing: backings[file.backing])
            else { continue }
            files.restore(handle, at: id)
            if let backing = handle.backing { unused.remove(backing.id) }
        }
        // What the last daemon kept for who would open it next.
        for id in unused { registration.close(id) }
    }
}
