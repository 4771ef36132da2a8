public import Objects
internal import SystemPackage

// FUSE_IOCTL, as far as `lsattr` and `chattr` use it.
extension FileSystem {
    public func flags(_ id: NodeID) throws(VFSError) -> FileFlags { try node(id).fileFlags() }

    /// - Parameters:
    ///   - flags: what is to be set of `mask`; the rest of it is taken away.
    ///   - mask: what the caller knows of. Other flags stay.
    /// - Throws: ``VFSError`` EOPNOTSUPP for a flag that Firn does not have.
    public func setFlags(
        _ id: NodeID, _ flags: FileFlags, among mask: FileFlags, by caller: Caller
    ) throws(VFSError) {
        let node = try node(id)
        guard flags.isSubset(of: mask), flags.isSubset(of: .all(of: .directory)) else { throw .notSupported }
        try node.setFileFlags(flags, among: mask, by: caller)
    }
}
