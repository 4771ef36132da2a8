internal import SystemPackage

// FUSE_IOCTL, as far as `lsattr` and `chattr` use it.
extension FileSystem {
    /// No flag is ever set, so this allows what changes none. A version has no place for them, and on a backing file
    /// they would be in the way of the commit that links or renames it.
    ///
    /// - Throws: ``VFSError`` EOPNOTSUPP, as filesystems without flags have it.
    public func setFlags(_ id: NodeID, setsAny: Bool) throws(VFSError) {
        _ = try node(id)
        if setsAny { throw .notSupported }
    }
}
