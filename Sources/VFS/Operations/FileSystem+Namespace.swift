public import Objects
internal import Store
internal import SystemPackage

// FUSE_MKNOD, FUSE_MKDIR, FUSE_SYMLINK, FUSE_LINK, FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME2
extension FileSystem {
    /// See: `man 2 mknod`.
    public func makeNode(
        _ parent: NodeID, _ name: FileName, _ kind: EntryKind, mode: UInt16, device: UInt64, by caller: Caller
    ) throws(VFSError) -> Entry {
        try make(parent, name, .special(kind, mode: mode, device: device), by: caller)
    }

    /// See: `man 2 mkdir`.
    public func makeDirectory(
        _ parent: NodeID, _ name: FileName, mode: UInt16, by caller: Caller
    ) throws(VFSError) -> Entry {
        try make(parent, name, .directory(mode: mode), by: caller)
    }

    /// See: `man 2 symlink`.
    public func makeSymlink(
        _ parent: NodeID, _ name: FileName, target: [UInt8], by caller: Caller
    ) throws(VFSError) -> Entry {
        try make(parent, name, .symlink(target: target), by: caller)
    }

    private func make(
        _ parent: NodeID, _ name: FileName, _ new: NewNode, by caller: Caller
    ) throws(VFSError) -> Entry {
        guard name.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        let parent = try node(parent)
        if caller.isRepeated { try removeUnfinished(parent, name) }
        let node = try parent.create(name, new, by: caller)
        do throws(VFSError) { return try entry(node) } catch {
            // The kernel goes on knowing that there is none. Where it cannot be taken back the first error is the one to tell.
            try? takeBack(name, of: parent, isDirectory: node.isDirectory)
            throw error
        }
    }

    /// Takes away what a daemon that died may have made and told nobody of, so that it is made whole. The kernel
    /// has asked for a name that it knew to be free, and lets nobody else at the directory until it is answered.
    func removeUnfinished(_ parent: Node, _ name: FileName) throws(VFSError) {
        guard let node = try parent.child(name) else { return }
        defer { table.dropIfUnused(node) }
        let attributes = try node.attributes()
        if node.kind == .file, attributes.size > 0 || attributes.linkCount > 1 { return }
        do throws(VFSError) { try takeBack(name, of: parent, isDirectory: node.isDirectory) } catch {
            if error.code != .directoryNotEmpty { throw error }
        }
    }

    /// Flags of the directory say nothing of it: it would have been made as it should be otherwise.
    func takeBack(_ name: FileName, of parent: Node, isDirectory: Bool) throws(VFSError) {
        guard let parent = parent as? StagingNode else {
            return try parent.remove(name, isDirectory: isDirectory)
        }
        try parent.tree.remove(name, in: parent, isDirectory: isDirectory, heedsFlags: false)
    }

    /// See: `man 2 link`.
    public func link(
        _ id: NodeID, _ parent: NodeID, _ name: FileName, by caller: Caller
    ) throws(VFSError) -> Entry {
        guard name.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        let node = try node(id)
        let directory = try self.node(parent)
        do throws(VFSError) { try directory.link(node, as: name) } catch {
            guard caller.isRepeated, error.code == .fileExists, let made = try directory.child(name),
                made.inode == node.inode
            else { throw error }
            if made !== node {
                // A file that had no name before: its new name and its open handles must be of one node.
                try takeBack(name, of: directory, isDirectory: false)
                try directory.link(node, as: name)
            }
        }
        return try entry(node)
    }

    /// See: `man 2 unlink`, `man 2 rmdir`.
    public func remove(
        _ parent: NodeID, _ name: FileName, isDirectory: Bool, by caller: Caller
    ) throws(VFSError) {
        do throws(VFSError) { try node(parent).remove(name, isDirectory: isDirectory) } catch {
            guard caller.isRepeated, error.code == .noSuchFileOrDirectory else { throw error }
        }
    }

    /// See: `man 2 renameat2`. EROFS into and out of what cannot be changed.
    ///
    /// - Returns: directories that have another parent now, which their listings show.
    @discardableResult
    public func rename(
        _ parent: NodeID, _ name: FileName, to newParent: NodeID, _ newName: FileName, mode: RenameMode,
        by caller: Caller
    ) throws(VFSError) -> [NodeID] {
        guard newName.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        let (directory, target) = (try node(parent), try node(newParent))
        if !(caller.isRepeated && wasMoved(by: caller.request)) {
            try directory.rename(name, to: target, newName, mode, request: caller.request)
        }
        if directory === target { return [] }
        return [table.child(target, newName), table.child(directory, name)].compactMap { $0 }
            .filter(\.isDirectory).map(\.id)
    }
}
