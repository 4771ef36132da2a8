internal import Objects
internal import Store
internal import SystemPackage

// Opening, closing and syncing.
extension StagingTree {
    func open(_ node: StagingNode, _ mode: OpenMode, by caller: Caller) throws(VFSError) -> FileHandle {
        guard node.kind == .file else { throw VFSError(.invalidArgument) }
        guard mode.writes || mode.truncates else {
            return try lock.withLock { _ throws(VFSError) in
                handle(node, try openFile(node, writes: false, by: caller), mode)
            }
        }
        return try workspace.gate.pass { () throws(VFSError) in
            try requireUsable()
            try node.requireOpenable(mode)
            if mode.truncates { return try openEmptied(node, mode, by: caller) }
            try prepareToWrite(node)
            return try lock.withLock { _ throws(VFSError) in
                handle(node, try openFile(node, writes: true, by: caller), mode)
            }
        }
    }

    /// Opens a file whose bytes are thrown away, when everything else that can fail is done: who is refused must find
    /// the file as it was.
    private func openEmptied(
        _ node: StagingNode, _ mode: OpenMode, by caller: Caller
    ) throws(VFSError) -> StagingHandle {
        try withoutCopyUp(of: node) { links throws(VFSError) in
            if node.file?.isFixed == true { throw try detached(node, &links) }
            try materialize(node)
            let (file, open): (StagedFile, Descriptor)
            if node.reference != nil {
                (file, open) = try openReference(node, by: caller)
            } else {
                file = try openFile(node, writes: true, by: caller)
                open = try descriptor(of: node, file)
            }
            try resize(node, open, to: 0, by: caller)
            return handle(node, file, mode)
        }
    }

    /// The file of a reference, which has no bytes. Readers still have the blob's.
    private func openReference(
        _ node: StagingNode, by caller: Caller
    ) throws(VFSError) -> (StagedFile, Descriptor) {
        let place = try place(node)
        let descriptor = try called { () throws(Errno) in try Syscall.openForWriting(place) }
        let backing = node.file == nil ? try backing(descriptor, of: node, for: caller) : nil
        return (StagedFile(descriptor, isWritable: true, isBlob: false, backing: backing), descriptor)
    }

    /// Changes how many bytes a file has. With the lock held, and without a copy-up under way.
    ///
    /// - Parameters:
    ///   - open: the file, open for writing.
    ///   - size: 0 if it is a reference: with no bytes it refers to none.
    func resize(_ node: StagingNode, _ open: Descriptor, to size: Int, by caller: Caller) throws(VFSError) {
        // Also where it fails halfway.
        defer { noteChange(of: node) }
        try clearSetIDs(open, by: caller)
        try called { () throws(Errno) in try Syscall.truncate(open.fd, to: size) }
        if node.reference == nil { return }
        // Last: until now the file still has the blob's bytes.
        try stored { () throws(StoreError) in
            try workspace.overlay.clearReference(open, mark: node.mark, subject: "a file that is emptied")
        }
        node.noteUnmarked()
        node.reference = nil
        // Who reads it already goes on with no bytes.
        node.file?.replace(open, isWritable: true)
    }

    /// A handle on the node's one open file. With the lock held.
    func handle(_ node: StagingNode, _ file: StagedFile, _ mode: OpenMode) -> StagingHandle {
        let file = node.file ?? file
        let writes = mode.writes || mode.truncates
        node.file = file
        node.openCount += 1
        if writes { node.writeCount += 1 }
        // Who reads a blob's bytes has nothing of the file open that refers to it.
        let (written, read) = writes ? (node.backing, nil) : (nil, file.isBlob ? nil : node.backing)
        if let written { workspace.tracker.opened(written) }
        if let read { workspace.tracker.openedForReading(read) }
        return StagingHandle(node, file, writes: written, reads: read, appends: mode.appends)
    }

    func openFile(
        _ node: StagingNode, writes: Bool, by caller: Caller
    ) throws(VFSError) -> StagedFile {
        if let file = node.file {
            if writes, !file.isWritable {
                // Sealed, and without a name by which it could be copied up.
                if file.isBlob { throw .stale }
                guard let kept = file.descriptor else {
                    try file.startWriting { () throws(VFSError) in
                        try self.descriptor(of: node, file, writes: true)
                    }
                    return file
                }
                // Through the descriptor, since the name may be gone.
                file.replace(
                    try called { () throws(Errno) in try Syscall.reopenForWriting(kept) }, isWritable: true)
            }
            return file
        }
        if node.isForgotten { throw .stale }
        if let blob = sealedBytes(node) {
            let descriptor = try stored { () throws(StoreError) in
                try store.blobs.open(blob.digest, size: blob.size)
            }
            return StagedFile(descriptor, isWritable: false, isBlob: true)
        }
        if let descriptor = try openReplaced(node, writes: writes) {
            let backing = try backing(descriptor, for: caller)
            return StagedFile(descriptor, isWritable: writes, isBlob: false, backing: backing, hasName: false)
        }
        let known = knownBacking(of: node, for: caller)
        if let known, !writes { return StagedFile(nil, isWritable: false, isBlob: false, backing: known) }
        let place = try place(node)
        let descriptor = try called { () throws(Errno) in
            writes ? try Syscall.openForWriting(place) : try Syscall.openForReading(place)
        }
        let backing = if let known { known } else { try backing(descriptor, of: node, for: caller) }
        return StagedFile(descriptor, isWritable: writes, isBlob: false, backing: backing)
    }

    /// The file that is open as `file`, opened once more where only the kernel has it. With the lock held.
    ///
    /// - Throws: ``VFSError`` `.stale` where it has no name any more.
    func descriptor(
        of node: StagingNode, _ file: StagedFile, writes: Bool = false
    ) throws(VFSError) -> Descriptor {
        if let kept = file.descriptor { return kept }
        if file.isBlob {
            guard let blob = sealedBytes(node) else { throw .stale }
            return try stored { () throws(StoreError) in try store.blobs.open(blob.digest) }
        }
        if node.isKeptUnlinked {
            let unlinked = try stored { () throws(StoreError) in try workspace.unlinked.open(node.id.value) }
            guard let unlinked else { throw .stale }
            return unlinked
        }
        let place = try place(node)
        return try called { () throws(Errno) in
            file.isWritable || writes
                ? try Syscall.openForWriting(place) : try Syscall.openForReading(place)
        }
    }

    /// To be called before an open file loses a name, which may be the one it could be opened by again. With the
    /// lock held.
    func keepDescriptor(of node: StagingNode) throws(VFSError) {
        guard let file = node.file, file.descriptor == nil else { return }
        file.keep(try descriptor(of: node, file))
    }

    func sealedBytes(_ node: StagingNode) -> (digest: Digest, size: UInt64)? {
        if case .base(let entry) = node.form, let digest = entry.blob { return (digest, entry.size) }
        return node.reference
    }

    func close(_ handle: StagingHandle, _ node: StagingNode) {
        lock.withLock { _ in
            node.openCount -= 1
            if handle.writes != nil {
                node.writeCount -= 1
                if let file = node.file, let written = file.descriptor,
                    let error = store.lostWrites.noteUnwritten(written)
                {
                    file.noteLoss(error)
                }
            }
            if node.openCount == 0 {
                node.file = nil
                discardUnlinked(node)
            } else if node.writeCount == 0 {
                // Only readers are left: the seal must not take this descriptor for a writer's.
                node.file?.stopWriting()
            }
        }
        if let backing = handle.reads { workspace.tracker.closedForReading(backing) }
        guard let backing = handle.writes else { return }
        workspace.tracker.closed(backing)
        if workspace.tracker.isOpen(backing) { return }
        // By its number, so that the node can go meanwhile.
        hashing?.closed(backing) { [self, id = node.id] in
            lock.withLock { _ in
                guard let node = table.node(id) as? StagingNode else { return nil }
                // It has lost its name meanwhile, or cannot be found just now: the commit hashes what is left.
                return try? place(node)
            }
        }
    }

    /// The node's file in `upper/`, if it has one and a name.
    func backingFile(_ node: StagingNode) throws(VFSError) -> Descriptor? {
        try lock.withLock { _ throws(VFSError) in
            guard node.isUpper, table.isLinked(node) else { return nil }
            let place = try place(node)
            return try called { () throws(Errno) in try Syscall.openForReading(place) }
        }
    }

    func syncDirectory(_ node: StagingNode) throws(VFSError) {
        let directory = try lock.withLock { _ throws(VFSError) in
            guard node.isUpper else { return Descriptor?.none }
            let place = try place(node)
            return try called { () throws(Errno) in try Syscall.openDirectory(place) }
        }
        // Nothing of it was changed since it was sealed.
        guard let directory else { return }
        try called { () throws(Errno) in try Syscall.sync(directory.fd) }
    }

    /// The kernel leaves it to the filesystem to take set-id bits off a file that someone else writes to
    /// (FUSE_HANDLE_KILLPRIV_V2), and the backing filesystem does not when the daemon, as root, writes.
    func clearSetIDs(_ descriptor: Descriptor, by caller: Caller) throws(VFSError) {
        if caller.uid == 0 { return }
        try called { () throws(Errno) in
            let status = try Syscall.status(descriptor)
            guard status.mode & 0o6000 != 0 else { return }
            let isInGroup =
                caller.gid == status.gid || Syscall.supplementaryGroups(of: caller.pid).contains(status.gid)
            guard let cleared = SetIDs.cleared(status.mode, byMember: isInGroup) else { return }
            try Syscall.changeMode(descriptor.fd, cleared)
        }
    }

    func requireUsable() throws(VFSError) {
        try stored { () throws(StoreError) in try workspace.requireUsable() }
    }
}

enum SetIDs {
    /// The mode without the bits a write takes away; nil where it has none. A set-group-id bit without group
    /// execution is a lock, not a privilege, and stays if the writer is in the file's group.
    static func cleared(_ mode: UInt32, byMember isInGroup: Bool) -> UInt32? {
        var cleared = mode & 0o7777 & ~0o4000
        if mode & 0o010 != 0 || !isInGroup { cleared &= ~0o2000 }
        return cleared == mode & 0o7777 ? nil : cleared
    }
}
