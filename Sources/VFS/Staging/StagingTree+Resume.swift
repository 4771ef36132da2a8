internal import Objects
internal import Store
internal import SystemPackage

// What it takes to go on with files that programs have open when the daemon dies. With the lock held, but for
// what says otherwise.
extension StagingTree {
    /// Gives an open file that is about to lose its last name, or has none, a name outside of `upper/`: the next
    /// daemon could not open it again otherwise. Directories keep nothing.
    func keepUnlinked(_ node: StagingNode) {
        guard keepsUnlinked, node.openCount > 0, !node.isKeptUnlinked, let file = node.file, !file.isBlob,
            let kept = file.descriptor, (node.lastAttributes?.linkCount ?? 0) <= 1
        else { return }
        // Where it cannot be done, at the limit of links or on a full disk, the file just does not outlive the
        // daemon; that is no reason to refuse what was asked.
        node.isKeptUnlinked = (try? workspace.unlinked.keep(kept, as: node.id.value)) != nil
        if node.isKeptUnlinked { file.letGo() }
    }

    /// Takes that name away again: the file has another, or nobody has it open.
    func discardUnlinked(_ node: StagingNode) {
        guard node.isKeptUnlinked else { return }
        node.isKeptUnlinked = false
        workspace.unlinked.discard(node.id.value)
    }

    /// The node of an open file without a name that another daemon has kept; nil where it has kept none. Without
    /// the lock.
    func keptNode(_ id: NodeID, inode: UInt64) throws(VFSError) -> StagingNode? {
        guard let file = try stored({ () throws(StoreError) in try workspace.unlinked.open(id.value) }) else {
            return nil
        }
        return try lock.withLock { _ throws(VFSError) in
            let flags = try stored { () throws(StoreError) in
                try workspace.overlay.flags(of: file, subject: "a file without a name")
            }
            let mark = UpperMark(flags: flags)
            let upper = try called { () throws(Errno) in try UpperEntry(file, mark: mark) }
            let node = table.addNameless { id in
                StagingNode(id: id, upper: upper, kind: .file, inode: inode, in: self)
            }
            guard let node = node as? StagingNode else { throw VFSError(.ioError) }
            node.isKeptUnlinked = true
            return node
        }
    }

    /// A handle on a file that was open when another daemon died. Without the lock.
    func reopen(
        _ node: StagingNode, _ mode: OpenMode, backing: KnownBacking?
    ) throws(VFSError) -> StagingHandle {
        let writes = mode.writes || mode.truncates
        return try lock.withLock { _ throws(VFSError) in
            if node.file == nil {
                node.file = try reopenedFile(node, writes: writes, backing: backing)
            }
            return handle(node, try openFile(node, writes: writes, by: .daemon), mode)
        }
    }

    private func reopenedFile(
        _ node: StagingNode, writes: Bool, backing: KnownBacking?
    ) throws(VFSError) -> StagedFile {
        if node.isKeptUnlinked {
            let kept = try stored { () throws(StoreError) in try workspace.unlinked.open(node.id.value) }
            guard let kept else { throw .stale }
            // It has this name, by which it can be opened again: see `descriptor(of:_:)`.
            return StagedFile(kept, isWritable: true, isBlob: false, backing: backing?.file)
        }
        // Where the kernel reads a file of `upper/` that refers to a blob, that has those bytes itself.
        let isOwn = node.reference != nil && backing != nil
        if !isOwn, let blob = sealedBytes(node) {
            if writes { throw .stale }
            let descriptor = try stored { () throws(StoreError) in
                try store.blobs.open(blob.digest, size: blob.size)
            }
            return StagedFile(descriptor, isWritable: false, isBlob: true, backing: backing?.file)
        }
        let place = try place(node)
        let descriptor = try called { () throws(Errno) in try Syscall.openAgain(place, writes: writes) }
        return StagedFile(descriptor, isWritable: writes, isBlob: false, backing: backing?.file)
    }

    /// Looks whether a rename that was under way when another daemon died was carried out. Without the lock.
    func wasCarriedOut(
        _ move: RecordedMove, from parent: StagingNode, to newParent: StagingNode
    ) throws(VFSError) -> Bool {
        try lock.withLock { links throws(VFSError) in
            let source = try inode(parent, move.name)
            let target = try inode(newParent, move.newName)
            return target == move.inode && source != move.inode
        }
    }

    private func inode(_ parent: StagingNode, _ name: FileName) throws(VFSError) -> UInt64? {
        if parent.isUpper, let upper = try probe(try place(parent, name)) {
            return upper.isWhiteout ? nil : number(of: upper, name, in: parent)
        }
        return try baseEntry(name, in: parent) == nil ? nil : try baseNumber(name, in: parent)
    }
}
