internal import Store
internal import SystemPackage

// FUSE_GETXATTR, FUSE_LISTXATTR, FUSE_SETXATTR, FUSE_REMOVEXATTR
extension FileSystem {
    /// See: `man 2 getxattr`.
    ///
    /// - Throws: ``VFSError`` ENODATA where there is none of that name.
    public func extendedAttribute(_ id: NodeID, _ name: [UInt8]) throws(VFSError) -> [UInt8] {
        guard let value = try node(id).extendedAttribute(name) else { throw VFSError(.noData) }
        return value
    }

    /// The names, each ended by NUL. See: `man 2 listxattr`.
    public func extendedAttributeNames(_ id: NodeID) throws(VFSError) -> [UInt8] {
        try node(id).extendedAttributeNames().flatMap { $0 + [0] }
    }

    /// See: `man 2 setxattr`.
    ///
    /// - Parameter clearsSetGroupID: whether the file loses its set-group-id bit, as by the access list of an owner
    ///   who is not in its group.
    public func setExtendedAttribute(
        _ id: NodeID, _ name: [UInt8], _ value: [UInt8], flags: Int32, clearsSetGroupID: Bool,
        by caller: Caller
    ) throws(VFSError) {
        let node = try node(id)
        // One that has been set already may be there.
        try node.setExtendedAttribute(name, value, flags: caller.isRepeated ? 0 : flags)
        guard clearsSetGroupID else { return }
        let mode = try node.attributes().mode
        guard mode & 0o2000 != 0 else { return }
        var change = SetAttributes()
        change.mode = mode & ~0o2000
        try node.change(change, handle: nil, by: .daemon)
    }

    /// See: `man 2 removexattr`.
    public func removeExtendedAttribute(
        _ id: NodeID, _ name: [UInt8], by caller: Caller
    ) throws(VFSError) {
        do throws(VFSError) { try node(id).removeExtendedAttribute(name) } catch {
            guard caller.isRepeated, error.code == .noData else { throw error }
        }
    }
}
