internal import Glibc
internal import Objects

/// What was read of staged files and is surely still right: digests, and what else a version says of them.
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

    private struct Known {
        let key: Key
        let digest: Digest
        let notes: UpperEntry.Notes?
    }

    private let files = Lock<[UInt64: Known]>([:])

    func digest(of status: stat) -> Digest? { known(status)?.digest }

    /// nil where they may have changed since, or were not read.
    func notes(of status: stat) -> UpperEntry.Notes? { known(status)?.notes }

    private func known(_ status: stat) -> Known? {
        let key = Key(status)
        guard let known = files.withLock({ $0[key.inode] }), known.key == key else { return nil }
        return known
    }

    /// - Parameter notes: nil where a change of them might not show in `status`.
    func keep(_ digest: Digest, _ notes: UpperEntry.Notes?, of status: stat) {
        let key = Key(status)
        files.withLock { $0[key.inode] = Known(key: key, digest: digest, notes: notes) }
    }

    /// A file's ctime has changed since it was given a name more, or one less. Its bytes have not; what else a version
    /// says of it may have been changed since, which would show in nothing but that time.
    func renew(_ status: stat) {
        let key = Key(status)
        files.withLock { files in
            guard let old = files[key.inode], old.key.size == key.size, old.key.mtime == key.mtime else {
                return
            }
            files[key.inode] = Known(key: key, digest: old.digest, notes: nil)
        }
    }

    var count: Int { files.withLock { $0.count } }

    /// Drops the digests of files that may have been written to: within one tick of a coarse clock a change
    /// leaves all four numbers as they were.
    func remove(_ inodes: Set<UInt64>) {
        if inodes.isEmpty { return }
        files.withLock { files in
            for inode in inodes { files[inode] = nil }
        }
    }

    /// After a commit: the staged files are sealed ones now.
    func removeAll() {
        files.withLock { $0.removeAll() }
    }
}
