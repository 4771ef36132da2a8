internal import Glibc
internal import Objects
internal import SystemPackage

/// Copies a directory of any filesystem, exactly: bytes with their holes, symlinks, fifos, sockets, devices, hard
/// links among the files copied, modes, owners (when privileged), mtimes, user attributes and ACLs.
struct TreeCopy {
    private let writer = EntryWriter()
    private let progress: Progress
    /// Must not be found below the source: the copy would hold itself.
    private let store: FileIdentity
    /// Where files with several names went first.
    private var links: [FileIdentity: Place] = [:]
    private(set) var summary = ImportSummary()

    struct FileIdentity: Hashable {
        let device: UInt64
        let inode: UInt64

        init(_ status: stat) {
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    init(into store: FileIdentity, progress: Progress) {
        self.store = store
        self.progress = progress
    }

    /// Sum of the sizes of all regular files below `place`; those with several names once.
    func byteCount(below place: Place) throws(StoreError) -> UInt64 {
        var sum: UInt64 = 0
        var seen: Set<FileIdentity> = []
        var pending = [(place: place, path: TreePath.root)]
        while let (place, path) = pending.popLast() {
            for name in try names(in: place, path) {
                let childPath = path.appending(name)
                let child = try place.child(name)
                let status = try self.status(child, childPath)
                if status.st_mode & S_IFMT == S_IFDIR {
                    try requireOutside(status, childPath)
                    pending.append((child, childPath))
                } else if status.st_mode & S_IFMT == S_IFREG,
                    status.st_nlink == 1 || seen.insert(FileIdentity(status)).inserted
                {
                    sum += UInt64(status.st_size)
                }
            }
        }
        return sum
    }

    /// Copies the directory at `source` to `target`, where nothing may be yet.
    mutating func directory(_ source: Place, to target: Place) throws(StoreError) {
        // Not by recursion: the depth of a tree is the user's.
        var levels = [try open(source, target, .root)]
        while let last = levels.indices.last {
            guard let name = levels[last].names.popLast() else {
                let level = levels.removeLast()
                try writer.dress(level.target, as: level.entry, subject: level.path.display)
                summary.directories += 1
                continue
            }
            let (from, to) = (try levels[last].source.child(name), try levels[last].target.child(name))
            let path = levels[last].path.appending(name)
            let status = try self.status(from, path)
            if status.st_mode & S_IFMT == S_IFDIR {
                levels.append(try open(from, to, path))
            } else {
                try item(from, status, to: to, path: path)
            }
        }
    }

    /// A directory on the way to what is copied.
    private struct Level {
        let source: Place
        let target: Place
        let path: TreePath
        let entry: TreeEntry
        /// What is still to be copied, the next one last.
        var names: [FileName]
    }

    private func open(_ source: Place, _ target: Place, _ path: TreePath) throws(StoreError) -> Level {
        let status = try self.status(source, path)
        try requireOutside(status, path)
        let entry = try entry(status, .tree(Digest.of([]), files: 0), at: source, path)
        try writer.make(entry, at: target)
        let names = try names(in: source, path).sorted(by: >)
        return Level(source: source, target: target, path: path, entry: entry, names: names)
    }

    private mutating func item(
        _ source: Place, _ status: stat, to target: Place, path: TreePath
    ) throws(StoreError) {
        guard let kind = EntryKind(mode: status.st_mode) else {
            throw StoreError(.invalidInput, "a file of unknown type", subject: path.display)
        }
        if status.st_nlink > 1 {
            if let first = links[FileIdentity(status)] {
                try system("link", path.display) { () throws(Errno) in
                    try Syscall.link(at: first.fd, first.path, to: target.fd, target.path)
                }
                return summary.count(kind)
            }
            links[FileIdentity(status)] = target
        }
        switch kind {
        case .file: try file(source, status, to: target, path: path)
        case .symlink:
            let link = try reading(path) { () throws(Errno) in
                try Syscall.readSymlink(at: source.fd, source.path)
            }
            try special(source, status, .target(link), to: target, path)
        case .characterDevice, .blockDevice:
            guard status.st_rdev != 0 else {
                throw StoreError(
                    .invalidInput, "a character device 0:0 means a deletion in staging",
                    subject: path.display,
                    hint: "it is a whiteout of some overlay; import the merged directory instead")
            }
            try special(source, status, .device(UInt64(status.st_rdev)), to: target, path)
        case .fifo, .socket, .directory: try special(source, status, .none, to: target, path)
        }
        summary.count(kind)
    }

    private func special(
        _ source: Place, _ status: stat, _ content: Content, to target: Place, _ path: TreePath
    ) throws(StoreError) {
        let entry = try entry(status, content, at: source, path)
        try writer.make(entry, at: target)
        try writer.dress(target, as: entry, mark: TreeCopy.mark(status), subject: path.display)
    }

    /// What has several names cannot have its inode number from one of them.
    private static func mark(_ status: stat) -> UpperMark {
        status.st_nlink > 1 ? UpperMark(inode: InodeNumber.random()) : .none
    }

    private mutating func file(
        _ source: Place, _ listed: stat, to target: Place, path: TreePath
    ) throws(StoreError) {
        let (from, before) = try reading(path) { () throws(Errno) in
            let from = try Syscall.open(at: source.fd, source.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            return (from, try Syscall.stat(from.fd))
        }
        try requireUnchanged(listed, before, path)
        let entry = try entry(before, .none, at: source, path)
        let to = try system("create", path.display) { () throws(Errno) in
            try Syscall.open(at: target.fd, target.path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        }
        let progress = progress
        try FileCopy.contents(of: from.fd, to: to.fd, subject: path.display) { progress.advance($0) }
        let after = try reading(path) { () throws(Errno) in try Syscall.stat(from.fd) }
        try requireUnchanged(before, after, path)
        try writer.dress(target, as: entry, mark: TreeCopy.mark(listed), subject: path.display)
        summary.bytes += UInt64(after.st_size)
    }

    private func entry(
        _ status: stat, _ content: Content, at place: Place, _ path: TreePath
    ) throws(StoreError) -> TreeEntry {
        guard let kind = EntryKind(mode: status.st_mode) else { preconditionFailure("checked before") }
        let attributes = try reading(path) { () throws(Errno) in
            let place = try place.resolved()
            var attributes: [ExtendedAttribute] = []
            for name in try Syscall.attributeNames(at: place.fd, place.path)
            where ExtendedAttribute.isPortable(name) {
                if let value = try Syscall.attribute(at: place.fd, place.path, RawPath(name)) {
                    attributes.append(ExtendedAttribute(name: name, value: value))
                }
            }
            return attributes
        }
        return TreeEntry(
            name: path.names.last ?? .root, kind: kind, mode: UInt16(status.st_mode & 0o7777),
            uid: status.st_uid, gid: status.st_gid, size: 0, mtime: Timestamp(status.st_mtim),
            content: content, xattrs: attributes)
    }

    // MARK: A source that changes

    private func status(_ place: Place, _ path: TreePath) throws(StoreError) -> stat {
        try reading(path) { () throws(Errno) in try Syscall.stat(at: place.fd, place.path) }
    }

    private func names(in place: Place, _ path: TreePath) throws(StoreError) -> [FileName] {
        try reading(path) { () throws(Errno) in try Syscall.names(at: place.fd, place.path) }
    }

    private func reading<Result>(
        _ path: TreePath, _ call: () throws(Errno) -> Result
    ) throws(StoreError) -> Result {
        do throws(Errno) { return try call() } catch {
            let isGone = [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(error)
            guard isGone else {
                throw StoreError(error, doing: "read", subject: path.display)
            }
            throw StoreError(
                .system(error), "it vanished while the directory was being copied", subject: path.display,
                hint: "try again when nothing changes the directory; nothing was staged")
        }
    }

    private func requireUnchanged(
        _ before: stat, _ after: stat, _ path: TreePath
    ) throws(StoreError) {
        let isSame =
            FileIdentity(before) == FileIdentity(after) && before.st_size == after.st_size
            && Timestamp(before.st_mtim) == Timestamp(after.st_mtim)
        guard !isSame else { return }
        throw StoreError(
            .busy, "the file changed while it was being copied", subject: path.display,
            hint: "try again when nothing writes to it; nothing was staged")
    }

    private func requireOutside(_ status: stat, _ path: TreePath) throws(StoreError) {
        guard FileIdentity(status) == store else { return }
        throw StoreError(
            .invalidInput, "the store lies in the directory that is to be copied into it",
            subject: path.display)
    }
}

extension ExtendedAttribute {
    /// Whether an attribute of this name says the same on every machine.
    static func isPortable(_ name: [UInt8]) -> Bool {
        if name == flagsName { return true }
        if UpperMark.isReserved(name) { return false }
        let kept = ["system.posix_acl_access", "system.posix_acl_default", "security.capability"]
        return name.starts(with: Array("user.".utf8)) || kept.contains { Array($0.utf8) == name }
    }
}
