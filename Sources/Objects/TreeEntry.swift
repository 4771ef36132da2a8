/// What a tree entry is. The raw values are stored: see `docs/FORMAT.md`, "Tree nodes".
public enum EntryKind: UInt8, Sendable, Hashable, CaseIterable {
    case file = 1
    case directory = 2
    case symlink = 3
    case fifo = 4
    case socket = 5
    case characterDevice = 6
    case blockDevice = 7
}

/// One extended attribute: a name with its namespace (`user.origin`) and its value.
public struct ExtendedAttribute: Hashable, Sendable {
    public let name: [UInt8]
    public let value: [UInt8]

    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// What an entry holds, by kind.
public enum Content: Hashable, Sendable {
    /// A regular file's bytes.
    case blob(Digest)
    /// A directory: the digest of its root tree node and how many entries that are not directories lie below
    /// it at any depth.
    case tree(Digest, files: UInt64)
    /// A symlink's target.
    case target([UInt8])
    /// A device's number, as `st_rdev`.
    case device(UInt64)
    /// A fifo or a socket holds nothing.
    case none
}

/// One sealed name in a directory: everything `lstat`, `readlink`, `listxattr` and `read` will say of it.
public struct TreeEntry: Hashable, Sendable {
    public var name: FileName
    public var kind: EntryKind
    /// Permission, set-id and sticky bits: `st_mode & 07777`.
    public var mode: UInt16
    public var uid: UInt32
    public var gid: UInt32
    /// Bytes of a file or of a symlink's target; of a directory, the sum over everything below it.
    public var size: UInt64
    public var mtime: Timestamp
    public var content: Content
    /// In order of name, without duplicates.
    public var xattrs: [ExtendedAttribute]

    public init(
        name: FileName, kind: EntryKind, mode: UInt16, uid: UInt32, gid: UInt32, size: UInt64,
        mtime: Timestamp, content: Content, xattrs: [ExtendedAttribute] = []
    ) {
        self.name = name
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime = mtime
        self.content = content
        self.xattrs = xattrs.sorted { $0.name.lexicographicallyPrecedes($1.name) }
    }

    /// The digest of the blob, for a regular file.
    public var blob: Digest? {
        if case .blob(let digest) = content { digest } else { nil }
    }

    /// The digest of the directory's root tree node, for a directory.
    public var tree: Digest? {
        if case .tree(let digest, _) = content { digest } else { nil }
    }

    /// Whether its time takes the longer of the two forms.
    var hasWideTime: Bool { mtime.exactNanoseconds == nil }

    /// Entries that are not directories: 1 for everything but a directory.
    public var files: UInt64 {
        if case .tree(_, let files) = content { files } else { 1 }
    }
}

extension TreeEntry {
    func encode(into writer: inout CBORWriter) {
        writer.array(count: 9)
        writer.byteString(name.bytes)
        writer.unsigned(UInt64(kind.rawValue))
        writer.unsigned(UInt64(mode))
        writer.unsigned(UInt64(uid))
        writer.unsigned(UInt64(gid))
        writer.unsigned(size)
        mtime.encode(into: &writer)
        switch content {
        case .blob(let digest): writer.byteString(digest.bytes)
        case .tree(let digest, let files):
            writer.array(count: 2)
            writer.byteString(digest.bytes)
            writer.unsigned(files)
        case .target(let target): writer.byteString(target)
        case .device(let number): writer.unsigned(number)
        case .none: writer.null()
        }
        if xattrs.isEmpty {
            writer.null()
        } else {
            writer.array(count: xattrs.count)
            for attribute in xattrs {
                writer.array(count: 2)
                writer.byteString(attribute.name)
                writer.byteString(attribute.value)
            }
        }
    }

    /// - Parameter isRoot: the root's entry has the empty name; no other may.
    init(from reader: inout CBORReader, isRoot: Bool = false) throws(ObjectError) {
        try reader.array(of: 9)
        let name = try reader.byteString()
        guard isRoot ? name.isEmpty : FileName.isValid(name) else {
            throw reader.malformed("not a file name")
        }
        guard let kind = EntryKind(rawValue: try reader.unsigned(as: UInt8.self)) else {
            throw reader.malformed("unknown kind of entry")
        }
        let mode = try reader.unsigned(as: UInt16.self)
        guard mode <= 0o7777 else { throw reader.malformed("mode out of range") }
        let uid = try reader.unsigned(as: UInt32.self)
        let gid = try reader.unsigned(as: UInt32.self)
        let size = try reader.unsigned()
        let mtime = try Timestamp(from: &reader)
        let content = try Content(of: kind, from: &reader)
        let xattrs = try TreeEntry.decodeAttributes(from: &reader)
        // All at once: a half of an entry would have to be taken down again where reading the other fails.
        (self.name, self.kind, self.mode) = (FileName(unchecked: name), kind, mode)
        (self.uid, self.gid, self.size, self.mtime) = (uid, gid, size, mtime)
        (self.content, self.xattrs) = (content, xattrs)
    }

    private static func decodeAttributes(
        from reader: inout CBORReader
    ) throws(ObjectError) -> [ExtendedAttribute] {
        if reader.null() { return [] }
        let count = try reader.array()
        guard count > 0 else { throw reader.malformed("empty list of attributes") }
        var attributes: [ExtendedAttribute] = []
        for _ in 0..<count {
            try reader.array(of: 2)
            let attribute = ExtendedAttribute(name: try reader.byteString(), value: try reader.byteString())
            // listxattr(2) separates names by NUL.
            guard !attribute.name.isEmpty, !attribute.name.contains(0) else {
                throw reader.malformed("not an attribute's name")
            }
            if let last = attributes.last, !last.name.lexicographicallyPrecedes(attribute.name) {
                throw reader.malformed("attributes out of order")
            }
            attributes.append(attribute)
        }
        return attributes
    }
}

extension Content {
    fileprivate init(of kind: EntryKind, from reader: inout CBORReader) throws(ObjectError) {
        switch kind {
        case .file: self = .blob(try reader.digest())
        case .directory:
            try reader.array(of: 2)
            self = .tree(try reader.digest(), files: try reader.unsigned())
        case .symlink:
            let target = try reader.byteString()
            guard !target.isEmpty, !target.contains(0) else {
                throw reader.malformed("not a symlink's target")
            }
            self = .target(target)
        case .characterDevice, .blockDevice: self = .device(try reader.unsigned())
        case .fifo, .socket:
            guard reader.null() else { throw reader.malformed("a fifo or socket has no content") }
            self = .none
        }
    }
}
