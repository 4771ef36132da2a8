public import Objects
internal import SystemPackage

/// What Firn notes on a file or directory of `upper/`, in the extended attribute `user.firn`: the number it has
/// in the mount, and what of the base it stands for. Layout: `docs/FORMAT.md`, "Workspaces".
public struct UpperMark: Hashable, Sendable {
    /// The inode number it is to keep; nil where that follows from the backing file's own.
    public var inode: UInt64?
    public var base: Base?
    /// What `chattr` has set in the mount. The backing file has none that would be in the way.
    public var flags: FileFlags

    public enum Base: Hashable, Sendable {
        /// A directory laid over the one with this root node. Without a mark a directory is opaque.
        case tree(Digest)
        /// A reference: an empty file that has the attributes, while the bytes are still the blob's.
        case blob(Digest, size: UInt64)
    }

    /// The attribute's name. The mount shows no name that starts with ``reservedPrefix`` and sets none.
    static let name = RawPath("user.firn")
    public static let reservedPrefix = Array("user.firn".utf8)
    /// Alternative for what cannot have `user` attributes: symlinks, fifos, sockets, devices. Root only.
    static let trustedName = RawPath("trusted.firn")
    public static let trustedPrefix = Array("trusted.firn".utf8)

    static let none = UpperMark()

    public init(inode: UInt64? = nil, base: Base? = nil, flags: FileFlags = []) {
        self.inode = inode
        self.base = base
        self.flags = flags
    }

    /// Whether the mount must hide the attribute of this name.
    public static func isReserved(_ name: [UInt8]) -> Bool {
        name.starts(with: reservedPrefix) || name.starts(with: trustedPrefix)
    }

    package var encoded: [UInt8] {
        var writer = CBORWriter()
        writer.array(count: flags.isEmpty ? 3 : 4)
        writer.unsigned(flags.isEmpty ? 1 : 2)
        if let inode { writer.unsigned(inode) } else { writer.null() }
        switch base {
        case nil: writer.null()
        case .tree(let digest): writer.byteString(digest.bytes)
        case .blob(let digest, let size):
            writer.array(count: 2)
            writer.byteString(digest.bytes)
            writer.unsigned(size)
        }
        if !flags.isEmpty { writer.unsigned(UInt64(flags.rawValue)) }
        return writer.bytes
    }

    package init(decoding bytes: [UInt8], isDirectory: Bool) throws(ObjectError) {
        var reader = CBORReader(bytes)
        let count = try reader.array()
        let format = try reader.unsigned()
        guard (format, count) == (1, 3) || (format, count) == (2, 4) else {
            throw reader.malformed("mark of unknown format")
        }
        inode = reader.null() ? nil : try reader.unsigned()
        if reader.null() {
            base = nil
        } else if isDirectory {
            base = .tree(try reader.digest())
        } else {
            try reader.array(of: 2)
            base = .blob(try reader.digest(), size: try reader.unsigned())
        }
        flags = []
        if format == 2 {
            flags = FileFlags(rawValue: try reader.unsigned(as: UInt32.self))
            guard !flags.isEmpty, flags.isSubset(of: .all(of: isDirectory ? .directory : .file)) else {
                throw reader.malformed("mark of unknown flags")
            }
        }
        try reader.end()
    }
}

/// What a workspace notes on the top of `upper/` in `user.firn.workspace`, so that one rename swaps it together
/// with the files.
public struct WorkspaceMark: Hashable, Sendable {
    /// Counts the seals of this workspace; a version records the generation it sealed.
    public var generation: UInt64
    /// The version a commit will name as its parent; nil before the first.
    public var version: Digest?

    static let name = RawPath("user.firn.workspace")

    package var encoded: [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 3)
        writer.unsigned(1)
        writer.unsigned(generation)
        if let version { writer.byteString(version.bytes) } else { writer.null() }
        return writer.bytes
    }

    init(generation: UInt64, version: Digest?) {
        self.generation = generation
        self.version = version
    }

    package init(decoding bytes: [UInt8]) throws(ObjectError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        guard try reader.unsigned() == 1 else { throw reader.malformed("workspace of unknown format") }
        generation = try reader.unsigned()
        version = reader.null() ? nil : try reader.digest()
        try reader.end()
    }
}
