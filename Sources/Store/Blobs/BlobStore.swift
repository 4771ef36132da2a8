public import Glibc
public import Objects
internal import SystemPackage

/// The immutable bytes of all versions: `objects/ab/cdef…`, one file for each blob, named by its SHA-256.
///
/// A file appears here complete and under its final name, by `link` or `rename`; nothing below `objects/` is
/// ever opened for writing. Calls are safe from any thread.
public final class BlobStore: Sendable {
    private let objects: Descriptor
    private let temporary: TemporaryDirectory
    private let lostWrites: LostWrites
    /// Directories of `objects/` that were used, by the first byte of the digests in them. The lock is a leaf.
    private let directories = Lock([UInt8: Descriptor]())
    private static let directoryCountMax = min(256, Syscall.descriptorLimit / 32)

    /// Bytes read or copied in one call: large enough that the call does not show in the time.
    static let chunkByteCount = 1 << 20

    init(objects: Descriptor, temporary: TemporaryDirectory, lostWrites: LostWrites) {
        self.objects = objects
        self.temporary = temporary
        self.lostWrites = lostWrites
    }

    /// Where a blob lies, relative to `objects/`.
    public static func path(_ digest: Digest) -> RawPath {
        let hex = digest.hex
        return RawPath("\(hex.prefix(2))/\(hex.dropFirst(2))")
    }

    /// Runs a call on a blob's file: in the directory that it lies in, by its last name.
    private func withFile<Result>(
        of digest: Digest, _ call: (Int32, RawPath) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        let bytes = digest.bytes
        let name = RawPath(Hex.digits(bytes.dropFirst()))
        let first = bytes[0]
        if let known = directories.withLock({ $0[first] }) {
            do throws(Errno) { return try call(known.fd, name) } catch {
                // So it is as well where the directory was removed and made again.
                guard error == .noSuchFileOrDirectory else { throw error }
            }
        }
        let directory = try Syscall.openDirectoryAsHandle(
            Place(directory: objects, path: RawPath(Hex.encode([first]))))
        directories.withLock {
            if $0.count < BlobStore.directoryCountMax || $0[first] != nil { $0[first] = directory }
        }
        return try call(directory.fd, name)
    }

    /// Opens a blob for reading.
    ///
    /// - Throws: ``StoreError`` `.damaged` when its file is missing.
    public func open(_ digest: Digest) throws(StoreError) -> Descriptor {
        do throws(Errno) {
            return try withFile(of: digest) { directory, name throws(Errno) in
                try Syscall.open(at: directory, name, O_RDONLY | O_NOFOLLOW)
            }
        } catch {
            guard error == .noSuchFileOrDirectory else {
                throw StoreError(error, doing: "open the object", subject: digest.hex)
            }
            throw StoreError(
                .damaged, "the object's file is missing", subject: digest.hex,
                hint: "firn verify lists every version and path it affects")
        }
    }

    /// Opens a blob for reading its bytes to someone, `size` of them.
    ///
    /// A sealed object's mtime is the epoch (see ``protect(_:)``), so a write by anyone shows; its bytes are then
    /// hashed before they are given out. What rots without a write is found by `firn verify`.
    ///
    /// - Throws: ``StoreError`` `.damaged` when its file is missing, has another size, or was written to.
    public func open(_ digest: Digest, size: UInt64) throws(StoreError) -> Descriptor {
        let blob = try open(digest)
        let status = try system("look at the object", digest.hex) { () throws(Errno) in
            try Syscall.stat(blob.fd)
        }
        guard UInt64(status.st_size) == size else {
            throw BlobStore.damage(digest, "the object has \(status.st_size) bytes instead of \(size)")
        }
        if Timestamp(status.st_mtim) != BlobStore.sealedTime {
            guard try BlobStore.hash(blob.fd).digest == digest else {
                throw BlobStore.damage(digest, "the object's bytes do not match its digest")
            }
            // Who may not say so on the file hashes it again next time.
            try? protect(digest)
        }
        return blob
    }

    /// Whether the file that was opened as a blob is still there and as it was sealed: see ``open(_:size:)``.
    public func isUnchanged(_ digest: Digest, size: UInt64, inode: UInt64) throws(StoreError) -> Bool {
        guard let status = try status(digest) else { return false }
        return status.st_ino == inode && UInt64(status.st_size) == size
            && Timestamp(status.st_mtim) == BlobStore.sealedTime
    }

    private static func damage(_ digest: Digest, _ message: String) -> StoreError {
        StoreError(
            .damaged, message, subject: digest.hex,
            hint: "firn verify lists every version and path it affects")
    }

    /// The mtime of every object that has been sealed.
    static let sealedTime = Timestamp(nanoseconds: 0)

    /// The inode number of an open blob's file.
    public func inode(of blob: Descriptor) throws(StoreError) -> UInt64 {
        try UInt64(system("look at", "an object") { () throws(Errno) in try Syscall.stat(blob.fd) }.st_ino)
    }

    /// The file that holds a blob, or nil where there is none.
    public func status(_ digest: Digest) throws(StoreError) -> stat? {
        try system("look at the object", digest.hex) { () throws(Errno) -> stat? in
            do throws(Errno) {
                return try withFile(of: digest) { directory, name throws(Errno) in
                    try Syscall.stat(at: directory, name)
                }
            } catch {
                if error == .noSuchFileOrDirectory { return nil }
                throw error
            }
        }
    }

    // MARK: Adding

    /// Makes the file at `place` the blob `digest` by giving it a second name below `objects/`.
    ///
    /// The caller has hashed the file and knows that nobody can write to it. Not durable when it returns: see
    /// ``sync(directoriesOf:)``. A file that is there already is replaced: it may be what a power cut left, or a
    /// name for a file that is still staged and may be written to.
    func adopt(_ place: Place, as digest: Digest) throws(StoreError) {
        do throws(Errno) {
            try inFanOut(digest) { (target, targetName) throws(Errno) in
                try Syscall.link(at: place.fd, place.path, to: target, targetName)
            }
        } catch {
            guard error == .fileExists else {
                throw StoreError(error, doing: "add the object", subject: place.display)
            }
            let name = temporary.name()
            try system("replace an object", digest.hex) { () throws(Errno) in
                try Syscall.link(at: place.fd, place.path, to: temporary.fd, name)
                try Syscall.rename(at: temporary.fd, name, to: objects.fd, BlobStore.path(digest))
                // Renaming one name of a file onto another of the same file does nothing, and leaves both.
                _ = try Syscall.statIfPresent(at: temporary.fd, name).map { _ throws(Errno) in
                    try Syscall.unlink(at: temporary.fd, name)
                }
            }
        }
    }

    /// Whether there is a file for a blob that the catalog knows, and of the right size. Of one that it does not
    /// know, that says nothing.
    func has(_ digest: Digest, size: UInt64) throws(StoreError) -> Bool {
        try status(digest).map { UInt64($0.st_size) == size } ?? false
    }

    /// Makes a copy of `source` the blob `digest`. The caller has hashed it and knows that nobody can write to it.
    /// The bytes are durable then, the name is not.
    ///
    /// - Parameter byteCountMax: how much may be copied where blocks cannot be shared.
    /// - Returns: how many bytes were copied, 0 where blocks are shared; nil where they would be too many.
    func adopt(
        copyOf source: Int32, as digest: Digest, size: UInt64, byteCountMax: UInt64
    ) throws(StoreError) -> UInt64? {
        let name = temporary.name()
        let copy = try system("create a temporary file", "tmp/") { () throws(Errno) in
            try Syscall.open(at: temporary.fd, name, O_RDWR | O_CREAT | O_EXCL, mode: 0o444)
        }
        defer { temporary.discard(name) }
        var isShared = true
        if size > byteCountMax {
            if lostWrites.mustCopy { return nil }
            // For whatever reason: it can be had in another way.
            do throws(Errno) { try Syscall.clone(from: source, to: copy.fd) } catch { return nil }
        } else {
            isShared = try FileCopy.contents(of: source, to: copy.fd, isFresh: lostWrites.mustCopy)
        }
        try system("write a copy", "tmp/") { () throws(Errno) in
            try lostWrites.watching { () throws(Errno) in try Syscall.syncData(copy.fd) }
        }
        try adopt(temporary.place(name), as: digest)
        return isShared ? 0 : size
    }

    /// Copies what `source` holds now into the store and returns its digest. The bytes are durable then, the
    /// name is not.
    ///
    /// The copy shares blocks where the filesystem can, unless it must be written anew; it is hashed, not the
    /// source, so the blob is right even if the source changes meanwhile.
    func ingest(
        copyOf source: Int32, isKnown: (Digest) throws(StoreError) -> Bool
    ) throws(StoreError) -> (digest: Digest, size: UInt64, isNew: Bool) {
        let name = temporary.name()
        let copy = try system("create a temporary file", "tmp/") { () throws(Errno) in
            try Syscall.open(at: temporary.fd, name, O_RDWR | O_CREAT | O_EXCL, mode: 0o444)
        }
        defer { temporary.discard(name) }
        try FileCopy.contents(of: source, to: copy.fd, isFresh: lostWrites.mustCopy)
        let (digest, size) = try Self.hash(copy.fd)
        try system("write a copy", "tmp/") { () throws(Errno) in
            try lostWrites.watching { () throws(Errno) in try Syscall.syncData(copy.fd) }
        }
        if try isKnown(digest), try has(digest, size: size) { return (digest, size, false) }
        try adopt(temporary.place(name), as: digest)
        return (digest, size, true)
    }

    /// Sets the mode of a sealed object to 0444 and its mtime to the epoch. To be called after the commit that
    /// made it one: before, the file is still a staged one whose attributes are the user's.
    func protect(_ digest: Digest) throws(StoreError) {
        try system("protect the object", digest.hex) { () throws(Errno) in
            try withFile(of: digest) { directory, name throws(Errno) in
                try Syscall.changeMode(at: directory, name, 0o444)
                try Syscall.changeTimes(
                    at: directory, name, access: nil, modification: .at(BlobStore.sealedTime))
            }
        }
    }

    /// Makes the names of `digests` durable.
    func sync(directoriesOf digests: some Sequence<Digest>) throws(StoreError) {
        for prefix in Set(digests.map { $0.hex.prefix(2) }).sorted() {
            try system("sync", "objects/\(prefix)") { () throws(Errno) in
                try lostWrites.watching { () throws(Errno) in
                    try Syscall.syncDirectory(at: objects.fd, RawPath(String(prefix)))
                }
            }
        }
        try system("sync", "objects") { () throws(Errno) in
            try lostWrites.watching { () throws(Errno) in try Syscall.sync(objects.fd) }
        }
    }

    // MARK: Removing

    /// Removes a blob's file. Readers that have it open go on reading.
    ///
    /// - Returns: how many bytes of disk it held.
    func remove(_ digest: Digest) throws(StoreError) -> UInt64 {
        let count = try allocated(digest)
        do throws(Errno) {
            try withFile(of: digest) { directory, name throws(Errno) in
                try Syscall.unlink(at: directory, name)
            }
        } catch {
            guard error != .noSuchFileOrDirectory else { return 0 }
            throw StoreError(error, doing: "remove the object", subject: digest.hex)
        }
        return count
    }

    /// How many bytes of disk a blob's file holds; 0 where there is none.
    func allocated(_ digest: Digest) throws(StoreError) -> UInt64 {
        try status(digest).map { UInt64($0.st_blocks) * 512 } ?? 0
    }

    /// Every digest that has a file, in no order. Files whose names are no digests are passed over.
    func all() throws(StoreError) -> [Digest] {
        var digests: [Digest] = []
        for prefix in try fanOut() {
            for rest in try entries(RawPath(prefix)) {
                if let digest = Digest(hex: prefix.display + rest.name.display) { digests.append(digest) }
            }
        }
        return digests
    }

    /// The blobs whose files have one of these inode numbers, by what the directories say.
    func digests(ofFilesWith inodes: Set<UInt64>) throws(StoreError) -> [Digest] {
        var digests: [Digest] = []
        for prefix in try fanOut() {
            for entry in try entries(RawPath(prefix)) where inodes.contains(entry.inode) {
                if let digest = Digest(hex: prefix.display + entry.name.display) { digests.append(digest) }
            }
        }
        return digests
    }

    /// The directories that hold blobs, by the first byte of their digests. Others may be a filesystem's own.
    private func fanOut() throws(StoreError) -> [FileName] {
        try entries(.here).filter { $0.kind == .directory && Hex.decode($0.name.display)?.count == 1 }
            .map(\.name)
    }

    private func entries(_ path: RawPath) throws(StoreError) -> [Syscall.Listed] {
        try system("list", "objects/\(path.display)") { () throws(Errno) in
            try Syscall.entries(at: objects.fd, path)
        }
    }

    // MARK: Hashing

    /// The SHA-256 of an open file from its beginning, and how many bytes that was.
    ///
    /// Holes are not read, which would fill memory with pages of zeros, but their zeros are hashed: a digest is
    /// that of the bytes.
    static func hash(
        _ fd: Int32, progress: (UInt64) throws(StoreError) -> Void = { _ in }
    ) throws(StoreError) -> (digest: Digest, size: UInt64) {
        var builder = DigestBuilder()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkByteCount, alignment: 4096)
        defer { buffer.deallocate() }
        Syscall.adviseSequential(fd)
        // Where holes are is asked of files only that are longer than the buffer.
        var run = FileRun(range: 0..<off_t(chunkByteCount), isHole: false)
        var offset: off_t = 0
        while true {
            if run.isHole { buffer.initializeMemory(as: UInt8.self, repeating: 0) }
            while offset < run.range.upperBound {
                let part = UnsafeMutableRawBufferPointer(
                    rebasing: buffer.prefix(Int(min(run.range.upperBound - offset, off_t(chunkByteCount)))))
                var count = part.count
                if !run.isHole {
                    count = try system("read", "a file to hash") { () throws(Errno) in
                        try Syscall.read(fd, into: part, at: offset)
                    }
                }
                builder.update(UnsafeRawBufferPointer(rebasing: part[..<count]))
                offset += off_t(count)
                try progress(UInt64(count))
                if count < part.count { return (builder.finish(), UInt64(offset)) }
            }
            let next = try system("look for holes in", "a file to hash") { () throws(Errno) in
                try FileRun(at: offset, of: fd)
            }
            guard let next else { return (builder.finish(), UInt64(offset)) }
            run = next
        }
    }

    /// Runs `call`, and once more after making the fan-out directory if that was what it lacked.
    private func inFanOut(
        _ digest: Digest, _ call: (Int32, RawPath) throws(Errno) -> Void
    ) throws(Errno) {
        do { try withFile(of: digest, call) } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
            do {
                try Syscall.makeDirectory(
                    at: objects.fd, RawPath(Hex.digits(digest.bytes.prefix(1))), mode: 0o755)
            } catch { if error != .fileExists { throw error } }
            try withFile(of: digest, call)
        }
    }
}
