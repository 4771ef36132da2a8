internal import CFuse
internal import CFuse3

extension Session {
    /// The table of callbacks. What is not in it the kernel does on its own (locks) or does without.
    static var operations: fuse_lowlevel_ops {
        var table = fuse_lowlevel_ops()
        addConnection(to: &table)
        addLookup(to: &table)
        addNamespace(to: &table)
        addFiles(to: &table)
        addDirectories(to: &table)
        addExtendedAttributes(to: &table)
        addFlags(to: &table)
        return table
    }

    private static func addConnection(to table: inout fuse_lowlevel_ops) {
        table.`init` = { _, connection in
            guard let connection else { return }
            let offered = connection.pointee.capable
            let wanted =
                UInt32(FUSE_CAP_ASYNC_READ) | UInt32(FUSE_CAP_ATOMIC_O_TRUNC) | UInt32(FUSE_CAP_DONT_MASK)
                | UInt32(FUSE_CAP_READDIRPLUS) | UInt32(FUSE_CAP_READDIRPLUS_AUTO)
                | UInt32(FUSE_CAP_PARALLEL_DIROPS) | UInt32(FUSE_CAP_POSIX_ACL) | UInt32(FUSE_CAP_ASYNC_DIO)
                | UInt32(FUSE_CAP_EXPLICIT_INVAL_DATA) | UInt32(FUSE_CAP_IOCTL_DIR)
                | UInt32(FUSE_CAP_CACHE_SYMLINKS)
            connection.pointee.want = wanted & offered
            connection.pointee.max_background = 64
            connection.pointee.congestion_threshold = 48
            connection.pointee.time_gran = 1
        }
    }
}
