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
        return try entry(try node(parent).create(name, new, by: caller))
    }

    /// See: `man 2 link`.
    public func link(_ id: NodeID, _ parent: NodeID, _ name: FileName) throws(VFSError) -> Entry {
        guard name.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        let node = try node(id)
        try self.node(parent).link(node, as: name)
        return try entry(node)
    }

    /// See: `man 2 unlink`, `man 2 rmdir`.
    public func remove(_ parent: NodeID, _ name: FileName, isDirectory: Bool) throws(VFSError) {
        try node(parent).remove(name, isDirectory: isDirectory)
    }

    /// See: `man 2 renameat2`. EROFS into and out of what cannot be changed.
    public func rename(
        _ parent: NodeID, _ name: FileName, to newParent: NodeID, _ newName: FileName, mode: RenameMode
    ) throws(VFSError) {
        guard newName.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        try node(parent).rename(name, to: try node(newParent), newName, mode)
    }
}
