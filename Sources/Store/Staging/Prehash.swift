internal import Glibc
internal import Objects
internal import SystemPackage

/// Hashes staged files before the seal holds writers up, on all cores, and starts their write-back.
enum Prehash {
    /// Hashes files that have no valid digest. What changes meanwhile is hashed again by the seal.
    static func run(
        _ work: [(place: Place, status: stat)], _ workspace: Workspace, progress: Progress
    ) throws(StoreError) {
        if work.isEmpty { return }
        progress.begin("hashing", total: work.reduce(0) { $0 + UInt64($1.status.st_size) })
        try Parallel.forEach(work) { item throws(StoreError) in
            do throws(StoreError) {
                _ = try hash(item.place, workspace) { file throws(StoreError) in
                    try BlobStore.hash(file, progress: { progress.advance($0) }).digest
                }
            } catch {
                // Gone or replaced meanwhile: the seal will see what is there then.
                guard let errno = error.errno, replacedFileErrors.contains(errno) else { throw error }
            }
        }
    }

    /// What opening or reading a file says that is gone, or a whiteout, socket, symlink or directory by now, or
    /// whose directory is something else.
    static let replacedFileErrors: Set<Errno> = [
        .noSuchFileOrDirectory, .noSuchAddressOrDevice, .tooManySymbolicLinkLevels, .isDirectory,
        .notDirectory,
    ]

    /// Hashes one file and keeps the digest under what the file was before and, unchanged, after. Where it could
    /// be written to when the hashing began it is not kept: a mapping changes bytes and leaves no trace.
    ///
    /// - Parameter digestOf: hashes an open file.
    static func hash(
        _ place: Place, _ workspace: Workspace,
        digestOf: (Int32) throws(StoreError) -> Digest = { file throws(StoreError) in
            try BlobStore.hash(file).digest
        }
    ) throws(StoreError) -> Digest {
        let file = try workspace.openForReading(place)
        let (before, hasWriter) = try system("look at", place.display) { () throws(Errno) in
            let status = try Syscall.stat(file.fd)
            let hasUser = try workspace.tracker.probeUse(of: UInt64(status.st_ino)) { () throws(Errno) in
                try Syscall.hasOtherUser(file.fd)
            }
            return (status, hasUser ? try Syscall.hasWriter(file.fd) : false)
        }
        let notes = try isSettled(before) ? workspace.overlay.notes(of: file, subject: place.display) : nil
        let digest = try digestOf(file.fd)
        Syscall.startWriteback(file.fd)
        let after = try system("look at", place.display) { () throws(Errno) in try Syscall.stat(file.fd) }
        let isOpen = hasWriter || workspace.tracker.isOpen(UInt64(after.st_ino))
        if !isOpen, DigestCache.Key(before) == DigestCache.Key(after) {
            workspace.digests.keep(digest, notes, of: after)
        }
        return digest
    }

    /// Whether a change from now on shows in a file's ctime, which may be that of a clock that ticks every 10 ms.
    private static func isSettled(_ status: stat) -> Bool {
        Timestamp.currentForNewDirectory.nanoseconds - Timestamp(status.st_ctim).nanoseconds > 100_000_000
    }
}
