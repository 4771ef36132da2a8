internal import Glibc
public import Objects
public import Store
public import SystemPackage

/// Everything that can be seen of a directory tree, but for what two copies of one tree never share: inode
/// numbers, change and access times, allocation.
public struct TreeSnapshot: Equatable, Sendable {
    public struct Item: Equatable, Sendable {
        public let kind: EntryKind
        public let mode: UInt16
        public let uid: UInt32
        public let gid: UInt32
        /// Bytes; 0 for directories.
        public let size: UInt64
        /// nil for a time that ``read(_:since:)`` was told to take for "now".
        public let mtime: Timestamp?
        /// 1 for directories.
        public let linkCount: UInt64
        public let device: UInt64
        /// Digest of a file's bytes, or a symlink's target.
        public let content: [UInt8]
        public var xattrs: [[UInt8]: [UInt8]]
    }

    /// By path relative to the top; the top itself is `.`.
    public var items: [RawPath: Item]

    /// - Parameter since: modification times from then on are all the same: those of one tree are never those of
    ///   another that was changed in the same way.
    public static func read(_ path: String, since: Timestamp? = nil) throws(Errno) -> TreeSnapshot {
        let top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        var snapshot = TreeSnapshot(items: [:])
        try snapshot.add(.here, of: top, since)
        return snapshot
    }

    private mutating func add(_ path: RawPath, of top: Descriptor, _ since: Timestamp?) throws(Errno) {
        let item = try Item(path, of: top, since)
        items[path] = item
        guard item.kind == .directory else { return }
        for name in try Syscall.names(at: top.fd, path) { try add(path.appending(name), of: top, since) }
    }

    /// What differs, one line for each path; empty where nothing does.
    ///
    /// - Parameter ignoringLinks: a sealed hard link is a file of its own.
    public func differences(from other: TreeSnapshot, ignoringLinks: Bool = false) -> [String] {
        Set(items.keys).union(other.items.keys).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
            .compactMap { path in
                switch (items[path], other.items[path]) {
                case (let one?, let two?):
                    let fields = one.differingFields(two, ignoringLinks: ignoringLinks)
                    return fields.isEmpty ? nil : "\(path.display): \(fields.joined(separator: ", "))"
                case (.some, nil): return "\(path.display): only in the first"
                default: return "\(path.display): only in the second"
                }
            }
    }
}

extension TreeSnapshot.Item {
    fileprivate init(_ path: RawPath, of top: Descriptor, _ since: Timestamp?) throws(Errno) {
        let status = FileStatus(try Syscall.stat(at: top.fd, path))
        guard let kind = status.kind else { throw .invalidArgument }
        self.kind = kind
        mode = status.permissions
        (uid, gid) = (status.uid, status.gid)
        size = kind == .directory ? 0 : status.size
        mtime = since.map { status.mtime >= $0 } == true ? nil : status.mtime
        linkCount = kind == .directory ? 1 : status.linkCount
        device = status.device
        switch kind {
        case .file: content = try Digest.of(TreeSnapshot.Item.bytes(path, of: top)).bytes
        case .symlink: content = try Syscall.readSymlink(at: top.fd, path)
        default: content = []
        }
        let absolute = RawPath(Array("/proc/self/fd/\(top.fd)/".utf8) + path.bytes)
        var xattrs: [[UInt8]: [UInt8]] = [:]
        for name in try Syscall.attributeNames(absolute) {
            xattrs[name] = try Syscall.attribute(absolute, RawPath(name))
        }
        self.xattrs = xattrs
    }

    private static func bytes(_ path: RawPath, of top: Descriptor) throws(Errno) -> [UInt8] {
        let file = try Syscall.open(at: top.fd, path, O_RDONLY | O_NOFOLLOW)
        let size = try Syscall.stat(file.fd).st_size
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(size) + 1, alignment: 8)
        defer { buffer.deallocate() }
        let count = try Syscall.read(file.fd, into: buffer, at: 0)
        return Array(buffer.prefix(count))
    }

    fileprivate func differingFields(_ other: Self, ignoringLinks: Bool) -> [String] {
        var fields: [String] = []
        func compare(_ name: String, _ one: some Equatable, _ two: some Equatable, _ isSame: Bool) {
            if !isSame { fields.append("\(name) \(one) / \(two)") }
        }
        compare("kind", kind, other.kind, kind == other.kind)
        compare("mode", String(mode, radix: 8), String(other.mode, radix: 8), mode == other.mode)
        compare("owner", "\(uid):\(gid)", "\(other.uid):\(other.gid)", uid == other.uid && gid == other.gid)
        compare("size", size, other.size, size == other.size)
        compare(
            "mtime", "\(mtime?.nanoseconds ?? -1)", "\(other.mtime?.nanoseconds ?? -1)", mtime == other.mtime)
        compare("links", linkCount, other.linkCount, ignoringLinks || linkCount == other.linkCount)
        compare("device", device, other.device, device == other.device)
        compare("content", content.prefix(8), other.content.prefix(8), content == other.content)
        compare("xattrs", xattrs, other.xattrs, xattrs == other.xattrs)
        return fields
    }
}
