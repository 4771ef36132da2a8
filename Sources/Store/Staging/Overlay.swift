public import Glibc
public import Objects
public import SystemPackage

/// One thing found in `upper/`.
public struct UpperEntry: Sendable {
    /// What is not in its status: its mark, and the extended attributes that are sealed with it.
    struct Notes: Sendable {
        let mark: UpperMark?
        let attributes: [ExtendedAttribute]
    }

    public let status: stat
    public let mark: UpperMark
    /// nil where they were not read.
    let attributes: [ExtendedAttribute]?
    /// A recorded deletion: character device 0:0. With a mark it is a device.
    public let isWhiteout: Bool

    /// - Parameter mark: nil where there is none.
    init(status: stat, mark: UpperMark?, attributes: [ExtendedAttribute]? = nil) {
        self.status = status
        self.mark = mark ?? .none
        self.attributes = attributes
        isWhiteout = status.st_mode & S_IFMT == S_IFCHR && status.st_rdev == 0 && mark == nil
    }

    /// A file that was made just now.
    public init(_ descriptor: Descriptor, mark: UpperMark?) throws(Errno) {
        self.init(status: try Syscall.stat(descriptor.fd), mark: mark)
    }

    public var isDirectory: Bool { status.st_mode & S_IFMT == S_IFDIR }
    public var isFile: Bool { status.st_mode & S_IFMT == S_IFREG }

    /// The blob whose bytes the file still has.
    public var reference: (digest: Digest, size: UInt64)? {
        if case .blob(let digest, let size) = mark.base { (digest, size) } else { nil }
    }

    /// The base directory this one is laid over; nil where it is opaque.
    public var baseTree: Digest? {
        if case .tree(let digest) = mark.base { digest } else { nil }
    }
}

/// The verbs on `upper/` that keep it a description of differences: see `docs/FORMAT.md`, "Workspaces".
///
/// Each changes the namespace in one step of the backing filesystem, so that a crash finds the name as it was
/// or as it is to be. They know nothing of inodes or handles; who calls them sees to it that no two touch the
/// same name at once.
public struct Overlay: Sendable {
    let temporary: TemporaryDirectory
    let blobs: BlobStore
    let writer = EntryWriter()
    /// Whether symlinks, fifos, sockets and devices can carry marks: only for root, and not in every container.
    private let marksAnything: Bool

    init(temporary: TemporaryDirectory, blobs: BlobStore) {
        self.temporary = temporary
        self.blobs = blobs
        do throws(Errno) {
            try Syscall.removeAttribute(temporary.fd, UpperMark.trustedName)
            marksAnything = true
        } catch {
            // There is none to remove; who may not set one is told so instead.
            marksAnything = error == .noData
        }
    }

    /// An ordinary user cannot give files away: owners of what is laid over then become that user's.
    public var isPrivileged: Bool { writer.isPrivileged }

    // MARK: Finding

    /// What lies at `place`; nil where the base decides.
    ///
    /// - Parameter asItIs: whether an ordinary user's file that denies reading even to its owner is an error. To look at
    ///   it all the same changes its mode for a moment, which nobody must see, or change meanwhile.
    public func probe(_ place: Place, asItIs: Bool = false) throws(StoreError) -> UpperEntry? {
        try probe(place, asItIs: asItIs) { _ in nil }
    }

    /// - Parameter known: the notes of what has a given status, where they need not be read.
    func probe(
        _ place: Place, asItIs: Bool, known: (stat) -> UpperEntry.Notes?
    ) throws(StoreError) -> UpperEntry? {
        let found = try system("look at", place.display) { () throws(Errno) in try locate(place) }
        guard let (place, status) = found else { return nil }
        if asItIs, !isPrivileged, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o400 == 0 {
            throw StoreError(.permissionDenied, doing: "look at", subject: place.display)
        }
        if status.st_mode & S_IFMT == S_IFREG, let notes = known(status) {
            return UpperEntry(status: status, mark: notes.mark, attributes: notes.attributes)
        }
        return UpperEntry(status: status, mark: try mark(of: place, status))
    }

    private func locate(_ place: Place) throws(Errno) -> (place: Place, status: stat)? {
        let here: Place
        do throws(Errno) { here = try place.resolved() } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw error
        }
        return try Syscall.statIfPresent(at: here.fd, here.path).map { (here, $0) }
    }

    private func mark(of place: Place, _ status: stat) throws(StoreError) -> UpperMark? {
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let isFile = status.st_mode & S_IFMT == S_IFREG
        let name = isDirectory || isFile ? UpperMark.name : UpperMark.trustedName
        let bytes = try system("read the mark of", place.display) { () throws(Errno) in
            do throws(Errno) {
                return try place.whateverMode { () throws(Errno) in
                    try Syscall.attribute(at: place.fd, place.path, name)
                }
            } catch {
                // An ordinary user may not see `trusted`, nor set it, so there is none.
                if !isDirectory, !isFile { return nil }
                throw error
            }
        }
        return try bytes.map { bytes throws(StoreError) in
            try Overlay.decoded(bytes, isDirectory: isDirectory, subject: place.display)
        }
    }

    private static func decoded(
        _ bytes: [UInt8], isDirectory: Bool, subject: @autoclosure () -> String
    ) throws(StoreError) -> UpperMark {
        do throws(ObjectError) { return try UpperMark(decoding: bytes, isDirectory: isDirectory) } catch {
            throw StoreError(.damaged, "its mark cannot be read: \(error.message)", subject: subject())
        }
    }

    /// The flags of an open file, which may have no name.
    public func flags(of file: Descriptor, subject: String) throws(StoreError) -> FileFlags {
        try mark(of: file, subject: subject)?.flags ?? []
    }

    private func mark(
        of file: Descriptor, subject: @autoclosure () -> String
    ) throws(StoreError) -> UpperMark? {
        let bytes = try system("read the mark of", subject()) { () throws(Errno) in
            try Syscall.attribute(file.fd, UpperMark.name)
        }
        return try bytes.map { bytes throws(StoreError) in
            try Overlay.decoded(bytes, isDirectory: false, subject: subject())
        }
    }

    /// The notes of an open file.
    func notes(of file: Descriptor, subject: @autoclosure () -> String) throws(StoreError) -> UpperEntry.Notes
    {
        let attributes = try system("read the attributes of", subject()) { () throws(Errno) in
            try ExtendedAttribute.sealed(try Syscall.attributeNames(file.fd)) { name throws(Errno) in
                try Syscall.attribute(file.fd, name)
            }
        }
        return UpperEntry.Notes(mark: try mark(of: file, subject: subject()), attributes: attributes)
    }

    // MARK: Taking from the base

    /// Lays an empty directory over the base directory `entry`, with its attributes.
    public func layDirectory(_ entry: TreeEntry, inode: UInt64?, at place: Place) throws(StoreError) {
        try layEntry(entry, inode: inode, at: place)
    }

    /// Gives the base's `entry` a place of its own in `upper/`: a file as a reference, so that no byte is
    /// copied; a directory as an empty one that is laid over it; anything else as itself.
    public func layEntry(_ entry: TreeEntry, inode: UInt64?, at place: Place) throws(StoreError) {
        try prepared(for: place) { name throws(StoreError) in
            try make(entry, inode: inode, at: temporary.place(name))
        }
    }

    /// Makes `entry` at a place in `tmp/`: a directory or a file that stands for what the base has.
    func make(_ entry: TreeEntry, inode: UInt64?, at place: Place) throws(StoreError) {
        try writer.make(entry, at: place)
        if entry.kind == .characterDevice, entry.content == .device(0) { try markAsDevice(place) }
        try dress(entry, inode: inode, at: place)
    }

    /// Gives what lies at a place the attributes of `entry`, and marks it as lying over that.
    func dress(_ entry: TreeEntry, inode: UInt64?, at place: Place) throws(StoreError) {
        let base: UpperMark.Base? =
            switch entry.content {
            case .tree(let tree, _): .tree(tree)
            case .blob(let blob): .blob(blob, size: entry.size)
            default: nil
            }
        try writer.dress(
            place, as: entry, mark: UpperMark(inode: inode, base: base), subject: entry.name.display)
    }

    /// Tells a character device 0:0 at a place in `tmp/` from a whiteout.
    ///
    /// - Throws: ``StoreError`` EPERM for an ordinary user, who cannot.
    func markAsDevice(_ place: Place) throws(StoreError) {
        try system("mark as a device", place.display) { () throws(Errno) in
            guard isPrivileged else { throw .notPermitted }
            try Syscall.setAttribute(at: place.fd, place.path, UpperMark.trustedName, UpperMark.none.encoded)
        }
    }

    func canMark(_ isFileOrDirectory: Bool) -> Bool { isFileOrDirectory || marksAnything }

    /// Sets the mark of what lies at `place`. Does nothing where that cannot carry one.
    public func mark(_ place: Place, _ kind: EntryKind, _ mark: UpperMark) throws(StoreError) {
        guard canMark(kind == .file || kind == .directory) else { return }
        let name = kind == .file || kind == .directory ? UpperMark.name : UpperMark.trustedName
        try system("mark", place.display) { () throws(Errno) in
            try place.whateverMode(0o200) { () throws(Errno) in
                try Syscall.setAttribute(at: place.fd, place.path, name, mark.encoded)
            }
        }
        if !mark.flags.isEmpty { BackingFlags.set(mark.flags, on: place) }
    }

    /// The same of an open file, which may have no name.
    public func mark(_ file: Descriptor, _ mark: UpperMark, subject: String) throws(StoreError) {
        try system("mark", subject) { () throws(Errno) in
            do throws(Errno) {
                try Syscall.setAttribute(file.fd, UpperMark.name, mark.encoded)
            } catch {
                // An ordinary user's own file that denies writing even to its owner.
                guard error == .permissionDenied else { throw error }
                let mode = try Syscall.stat(file.fd).st_mode & 0o7777
                try Syscall.changeMode(file.fd, mode | 0o200)
                defer { try? Syscall.changeMode(file.fd, mode) }
                try Syscall.setAttribute(file.fd, UpperMark.name, mark.encoded)
            }
        }
        if !mark.flags.isEmpty { BackingFlags.set(mark.flags, on: file) }
    }

    /// Sets the flags of the file or directory at `place`, and leaves the rest of its mark as it is.
    public func setFlags(_ flags: FileFlags, at place: Place, _ kind: EntryKind) throws(StoreError) {
        var mark = try probe(place)?.mark ?? .none
        mark.flags = flags
        try self.mark(place, kind, mark)
        if flags.isEmpty { BackingFlags.set([], on: place) }
    }

    /// The same of an open file, whose mark is to be `mark`.
    public func setFlags(of file: Descriptor, _ mark: UpperMark, subject: String) throws(StoreError) {
        try self.mark(file, mark, subject: subject)
        if mark.flags.isEmpty { BackingFlags.set([], on: file) }
    }

    /// Copies the referenced blob's bytes into the file that is open as `file`, which then stands for itself.
    ///
    /// In place, so that hard links and open descriptors go on naming the same file. The mark goes when the
    /// bytes are all there, and durably so: a power cut must not leave an empty file in a full one's place.
    /// Blocks that are shared are ordered by the filesystem's own log and need no sync.
    public func fill(
        _ file: Descriptor, from reference: (digest: Digest, size: UInt64), mark: UpperMark, subject: String
    ) throws(StoreError) {
        let status = try system("look at", subject) { () throws(Errno) in try Syscall.stat(file.fd) }
        // Checked: damage must not become the bytes of a file that looks sound.
        let blob = try blobs.open(reference.digest, size: reference.size)
        do throws(StoreError) {
            let isShared = try FileCopy.contents(of: blob.fd, to: file.fd)
            if !isShared {
                try system("sync", subject) { () throws(Errno) in try Syscall.syncData(file.fd) }
            }
        } catch {
            // Still a reference, with the time it had; give back the space of what was copied so far.
            try? Syscall.truncate(file.fd, to: 0)
            try? Syscall.changeTimes(file.fd, access: nil, modification: .at(Timestamp(status.st_mtim)))
            throw error
        }
        try clearReference(file, mark: mark, subject: subject)
        try system("set the times of", subject) { () throws(Errno) in
            // Which an ordinary user's writing has taken away.
            if status.st_mode & 0o6000 != 0 { try Syscall.changeMode(file.fd, status.st_mode & 0o7777) }
            try Syscall.changeTimes(file.fd, access: nil, modification: .at(Timestamp(status.st_mtim)))
        }
    }

    /// The file open as `file` stands for its own bytes from now on.
    public func clearReference(_ file: Descriptor, mark: UpperMark, subject: String) throws(StoreError) {
        try system("unmark", subject) { () throws(Errno) in
            var left = mark
            left.base = nil
            if left == .none {
                try Syscall.removeAttribute(file.fd, UpperMark.name)
            } else {
                try Syscall.setAttribute(file.fd, UpperMark.name, left.encoded)
            }
        }
    }

    // MARK: Deleting

    /// Records that the base's name is gone, in place of whatever is there.
    public func whiteOut(_ place: Place) throws(StoreError) {
        let name = temporary.name()
        defer { temporary.discard(name) }
        try system("record the deletion of", place.display) { () throws(Errno) in
            try Syscall.makeNode(at: temporary.fd, name, mode: S_IFCHR, device: 0)
            do throws(Errno) {
                try Syscall.rename(at: temporary.fd, name, to: place.fd, place.path)
            } catch {
                guard error == .isDirectory else { throw error }
                try Syscall.rename(at: temporary.fd, name, to: place.fd, place.path, .exchange)
            }
        }
    }

    /// Records that the base's name is gone, where `upper/` has nothing of that name.
    public func addWhiteout(_ place: Place) throws(StoreError) {
        try system("record the deletion of", place.display) { () throws(Errno) in
            try Syscall.makeNode(at: place.fd, place.path, mode: S_IFCHR, device: 0)
        }
    }

    /// Takes a directory that shows nothing out of `upper/`; it may still hold whiteouts.
    public func removeDirectory(_ place: Place, leavesWhiteout: Bool) throws(StoreError) {
        if leavesWhiteout { return try whiteOut(place) }
        let name = temporary.name()
        try system("remove", place.display) { () throws(Errno) in
            do throws(Errno) { try Syscall.removeDirectory(at: place.fd, place.path) } catch {
                guard error == .directoryNotEmpty else { throw error }
                try Syscall.rename(at: place.fd, place.path, to: temporary.fd, name)
            }
        }
        temporary.discard(name)
    }

    // MARK: Placing

    /// Makes something under a temporary name and then puts it at `place` in one step, over nothing or over a
    /// whiteout. The mtime of the directory it goes to stays as it is: nothing changed for who looks at the
    /// mount.
    public func prepared(
        for place: Place, keepsParentTime: Bool = true, _ make: (RawPath) throws(StoreError) -> Void
    ) throws(StoreError) {
        let name = temporary.name()
        defer { temporary.discard(name) }
        try make(name)
        let parent = RawPath(place.path.parentBytes)
        try system("place", place.display) { () throws(Errno) in
            let before = keepsParentTime ? try Syscall.stat(at: place.fd, parent) : nil
            // An ordinary user may not move even an own directory that denies writing.
            let mode = try Syscall.stat(at: temporary.fd, name).st_mode
            let isDenying = !isPrivileged && mode & S_IFMT == S_IFDIR && mode & 0o200 == 0
            if isDenying { try Syscall.changeMode(at: temporary.fd, name, mode & 0o7777 | 0o200) }
            do throws(Errno) {
                try Syscall.rename(at: temporary.fd, name, to: place.fd, place.path)
            } catch {
                // A directory over a whiteout.
                guard error == .notDirectory else { throw error }
                try Syscall.rename(at: temporary.fd, name, to: place.fd, place.path, .exchange)
            }
            if isDenying { try Syscall.changeMode(at: place.fd, place.path, mode & 0o7777) }
            if let before {
                try Syscall.changeTimes(
                    at: place.fd, parent, access: nil, modification: .at(Timestamp(before.st_mtim)))
            }
        }
    }
}

extension RawPath {
    /// The directory part; `.` where there is none.
    var parentBytes: [UInt8] {
        let bytes = self.bytes
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return [UInt8(ascii: ".")] }
        return Array(bytes[..<slash])
    }
}

extension EntryKind {
    /// The type bits of `st_mode`.
    public var fileType: mode_t {
        switch self {
        case .file: S_IFREG
        case .directory: S_IFDIR
        case .symlink: S_IFLNK
        case .fifo: S_IFIFO
        case .socket: S_IFSOCK
        case .characterDevice: S_IFCHR
        case .blockDevice: S_IFBLK
        }
    }

    /// - Parameter mode: `st_mode`. nil for a type Linux does not have.
    public init?(mode: mode_t) {
        guard let kind = EntryKind.allCases.first(where: { $0.fileType == mode & S_IFMT }) else { return nil }
        self = kind
    }
}

extension Timestamp {
    public init(_ time: timespec) {
        self.init(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    public var timespec: timespec { Glibc.timespec(tv_sec: Int(seconds), tv_nsec: Int(subsecond)) }
}
