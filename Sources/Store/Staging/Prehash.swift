internal import Glibc
internal import Objects
internal import SystemPackage

/// Hashes staged files before the seal holds writers up, on all cores, and starts their write-back.
enum Prehash {
    /// Hashes every closed file of the workspace that has no valid digest, so that the seal finds most digests
    /// ready. What changes meanwhile is hashed again by the seal. To be called with the gate open.
    static func run(_ workspace: Workspace, progress: Progress) throws(StoreError) {
        workspace.digests.remove(workspace.tracker.takeMark())
        var work: [(place: Place, status: stat)] = []
        var seen: Set<UInt64> = []
        try collect(try workspace.place([]), workspace) { place, status in
            let inode = UInt64(status.st_ino)
            if workspace.digests.digest(of: status) == nil, !workspace.tracker.isOpen(inode),
                seen.insert(inode).inserted
            {
                work.append((place, status))
            }
        }
        progress.begin("hashing", total: work.reduce(0) { $0 + UInt64($1.status.st_size) })
        try Parallel.forEach(work) { item throws(StoreError) in
            do throws(StoreError) {
                _ = try hash(item.place, item.status, workspace, progress: { progress.advance($0) })
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
    static func hash(
        _ place: Place, _ status: stat, _ workspace: Workspace, progress: (UInt64) -> Void = { _ in }
    ) throws(StoreError) -> Digest {
        let file = try workspace.openForReading(place)
        let (before, hasWriter) = try system("look at", place.display) { () throws(Errno) in
            (try Syscall.stat(file.fd), try Syscall.hasWriter(file.fd))
        }
        let (digest, _) = try BlobStore.hash(file.fd, progress: progress)
        Syscall.startWriteback(file.fd)
        let after = try system("look at", place.display) { () throws(Errno) in try Syscall.stat(file.fd) }
        let isOpen = hasWriter || workspace.tracker.isOpen(UInt64(after.st_ino))
        if !isOpen, DigestCache.Key(before) == DigestCache.Key(after) {
            workspace.digests.keep(digest, of: after)
        }
        return digest
    }

    private static func collect(
        _ top: Place, _ workspace: Workspace, _ body: (Place, stat) -> Void
    ) throws(StoreError) {
        var pending = [top]
        while let place = pending.popLast() {
            let names = try presently([]) { () throws(StoreError) in
                try system("list", place.display) { () throws(Errno) in
                    try Syscall.names(at: place.fd, place.path)
                }
            }
            for name in names {
                let found = try presently(nil) {
                    () throws(StoreError) -> (place: Place, entry: UpperEntry)? in
                    let child = try place.child(name)
                    return try workspace.overlay.probe(child).map { (child, $0) }
                }
                guard let found else { continue }
                if found.entry.isDirectory {
                    pending.append(found.place)
                } else if found.entry.isFile, found.entry.reference == nil {
                    body(found.place, found.entry.status)
                }
            }
        }
    }

    /// What `look` finds; `nothing` where what it looks at is gone or replaced since it was listed.
    private static func presently<Result>(
        _ nothing: Result, _ look: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        do throws(StoreError) { return try look() } catch {
            guard let errno = error.errno, replacedFileErrors.contains(errno) else { throw error }
            return nothing
        }
    }
}
