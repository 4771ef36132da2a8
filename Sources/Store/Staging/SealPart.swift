internal import Objects

/// What a directory of `upper/` holds, but for directories, and what its entry is.
struct SealPart {
    let place: Place
    let status: DigestCache.Key
    let directory: InodeNumbering.Directory
    /// What is to be looked at in any case.
    var directories: [FileName] = []
    var changes: [FileName: TreeChange] = [:]
    var noted: [FileName: UInt64?] = [:]
    /// Files whose bytes are to become objects.
    var files: [(name: FileName, digest: Digest, file: SealWalk.StagedFile)] = []
    var referenced: [Digest: UInt64] = [:]
    /// The backing inodes of all files.
    var inodes: [UInt64] = []
    var count = 0
    /// nil where something at any depth was left out.
    var entry: TreeEntry?

    /// The directory's own backing inode.
    var inode: UInt64 { status.inode }
}

extension SealWalk {
    struct StagedFile {
        let place: Place
        let size: UInt64
        let inode: UInt64
    }
}
