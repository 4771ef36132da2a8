internal import Glibc
internal import Objects

/// Digests of staged files that are surely still right.
///
/// An entry counts only while the backing file's inode, size, mtime and ctime are what they were when it was
/// hashed, and while nobody has opened the file for writing since: see ``WriteTracker``.
final class DigestCache: Sendable {
    struct Key: Hashable, Sendable {
        let inode: UInt64
        let size: Int64
        let mtime: Timestamp
        let ctime: Timestamp

        init(_ status: stat) {
            inode = UInt64(status.st_ino)
            size = Int64(status.st_size)
            mtime = Timestamp(status.st_mtim)
            ctime = Timestamp(status.st_ctim)
        }
    }

    private let digests = Lock<[UInt64: (key: Key, digest: Digest)]>([:])

    func digest(of status: stat) -> Digest? {
        let key = Key(status)
        guard let known = digests.withLock({ $0[key.inode] }), known.key == key else { return nil }
        return known.digest
    }

    func keep(_ digest: Digest, of status: stat) {
        let key = Key(status)
        digests.withLock { $0[key.inode] = (key, digest) }
    }

    var count: Int { digests.withLock { $0.count } }

    /// Drops the digests of files that may have been written to: within one tick of a coarse clock a change
    /// leaves all four numbers as they were.
    func remove(_ inodes: Set<UInt64>) {
        if inodes.isEmpty { return }
        digests.withLock { digests in
            for inode in inodes { digests[inode] = nil }
        }
    }

    /// After a commit: the staged files are sealed ones now.
    func removeAll() {
        digests.withLock { $0.removeAll() }
    }
}
