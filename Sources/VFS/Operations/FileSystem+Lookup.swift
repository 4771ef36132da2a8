public import Objects
public import Store
internal import SystemPackage

// FUSE_LOOKUP, FUSE_FORGET, FUSE_GETATTR, FUSE_STATX, FUSE_SETATTR, FUSE_READLINK, FUSE_STATFS
extension FileSystem {
    /// The entry of a name. The kernel holds one more lookup of it when this returns.
    ///
    /// - Throws: ``VFSError`` ENOENT where there is no such name.
    public func lookup(_ parent: NodeID, _ name: FileName) throws(VFSError) -> Entry {
        guard let entry = try lookup(ifPresent: name, in: parent) else { throw .notFound }
        return entry
    }

    /// The same.
    ///
    /// - Returns: nil where there is no such name, and the kernel may keep that until it makes one itself.
    /// - Throws: ``VFSError`` ENOENT where there is none and may be one at any time.
    public func lookup(ifPresent name: FileName, in parent: NodeID) throws(VFSError) -> Entry? {
        let parent = try node(parent)
        guard name.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        if let entry = try entry(parent, name) { return entry }
        guard parent.keepAbsence(of: name) else { throw .notFound }
        return nil
    }

    /// The same; nil where there is no such name.
    func entry(_ parent: Node, _ name: FileName) throws(VFSError) -> Entry? {
        while let child = try parent.child(name) {
            if let entry = try entryIfCurrent(child) { return entry }
        }
        return nil
    }

    /// Counts a lookup of `node`, whose attributes go to the kernel.
    func entry(_ node: Node) throws(VFSError) -> Entry {
        guard let entry = try entryIfCurrent(node) else { throw .stale }
        return entry
    }

    private func entryIfCurrent(_ node: Node) throws(VFSError) -> Entry? {
        do throws(VFSError) {
            let attributes = try node.attributes()
            guard table.retain(node) else { return nil }
            return Entry(
                node: node.id, attributes: attributes, lifetime: node.lifetime,
                nameLifetime: node.nameLifetime)
        } catch {
            let hasLeft = node.holder == nil && table.node(node.id) == nil
            table.dropIfUnused(node)
            // Another thread has dropped it meanwhile, and a seal that it did not see has moved its file: whoever asks
            // for the name again finds it.
            if hasLeft, [.noSuchFileOrDirectory, .staleNFSFileHandle].contains(error.code) { return nil }
            throw error
        }
    }

    /// The kernel gives back `count` lookups.
    public func forget(_ node: NodeID, count: UInt64) {
        table.release(node, count: count)
        forgotten.note()
    }

    public func attributes(_ id: NodeID) throws(VFSError) -> (Attributes, Lifetime) {
        let node = try node(id)
        return (try node.attributes(), node.lifetime)
    }

    /// When it was made; nil where that is not known. See: `man 2 statx`, STATX_BTIME.
    public func birthTime(_ id: NodeID) throws(VFSError) -> Timestamp? { try node(id).birthTime() }

    public func setAttributes(
        _ id: NodeID, _ change: SetAttributes, handle: HandleID?, by caller: Caller
    ) throws(VFSError) -> (Attributes, Lifetime) {
        let node = try node(id)
        try node.change(
            change, handle: try handle.map { handle throws(VFSError) in try files.find(handle) }, by: caller)
        return (try node.attributes(), node.lifetime)
    }

    public func target(_ id: NodeID) throws(VFSError) -> [UInt8] { try node(id).target() }

    /// What `statfs` says: the filesystem the store lies on.
    public func status() throws(VFSError) -> FilesystemStatus {
        try stored { () throws(StoreError) in try store.filesystemStatus() }
    }
}
