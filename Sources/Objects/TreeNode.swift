/// One stored piece of a directory. Layout: `docs/FORMAT.md`, "Tree nodes".
///
///     leaf  = [1, 0, [entry, …]]                                  entries in order of name
///     leaf  = [2, 0, [entry, …]]                                  the same, if an entry has a wide time
///     inner = [1, level, [[last_name, digest, count, files, bytes], …]]   children in order of last_name
///
/// A directory is cut into leaves where ``NameHash`` says so, and their list is cut in the same way into
/// inner nodes until one node is left: the root, whose digest names the directory.
public enum TreeNode: Hashable, Sendable {
    case leaf([TreeEntry])
    case inner(level: Int, [Child])

    /// An inner node's reference to a node one level below.
    public struct Child: Hashable, Sendable {
        /// The last (greatest) name below this child.
        public let lastName: FileName
        public let digest: Digest
        /// Entries of this directory below this child.
        public let count: UInt64
        /// Entries that are not directories, at any depth.
        public let files: UInt64
        /// Sum of sizes, at any depth.
        public let bytes: UInt64

        public init(lastName: FileName, digest: Digest, count: UInt64, files: UInt64, bytes: UInt64) {
            self.lastName = lastName
            self.digest = digest
            self.count = count
            self.files = files
            self.bytes = bytes
        }
    }

    public static let formatNumber: UInt64 = 1
    /// Of a leaf with an entry that release 0.1 cannot read: it refuses the leaf by this number, as one it does not know.
    public static let wideFormatNumber: UInt64 = 2
    /// A node is cut after this many items even where no name's hash says so.
    public static let itemCountMax = 512
    /// 512 to the power of 8 exceeds any directory: a deeper tree is not one Firn wrote.
    static let levelMax = 8

    /// The node of a directory with nothing in it.
    public static let empty = TreeNode.leaf([])

    public var level: Int {
        switch self {
        case .leaf: 0
        case .inner(let level, _): level
        }
    }

    /// How many entries of the directory itself lie below this node.
    public var count: UInt64 {
        switch self {
        case .leaf(let entries): UInt64(entries.count)
        case .inner(_, let children): children.reduce(0) { $0 &+ $1.count }
        }
    }

    /// Entries below this node that are not directories, at any depth.
    public var files: UInt64 {
        switch self {
        case .leaf(let entries): entries.reduce(0) { $0 &+ $1.files }
        case .inner(_, let children): children.reduce(0) { $0 &+ $1.files }
        }
    }

    /// Sum of sizes below this node, at any depth.
    public var bytes: UInt64 {
        switch self {
        case .leaf(let entries): entries.reduce(0) { $0 &+ $1.size }
        case .inner(_, let children): children.reduce(0) { $0 &+ $1.bytes }
        }
    }

    static func isKnown(format: UInt64) -> Bool { format == formatNumber || format == wideFormatNumber }

    private var format: UInt64 {
        guard case .leaf(let entries) = self, entries.contains(where: \.hasWideTime) else {
            return TreeNode.formatNumber
        }
        return TreeNode.wideFormatNumber
    }

    /// The canonical bytes; their SHA-256 names the node.
    public func encoded() -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 3)
        writer.unsigned(format)
        writer.unsigned(UInt64(level))
        switch self {
        case .leaf(let entries):
            writer.array(count: entries.count)
            for entry in entries { entry.encode(into: &writer) }
        case .inner(_, let children):
            writer.array(count: children.count)
            for child in children {
                writer.array(count: 5)
                writer.byteString(child.lastName.bytes)
                writer.byteString(child.digest.bytes)
                writer.unsigned(child.count)
                writer.unsigned(child.files)
                writer.unsigned(child.bytes)
            }
        }
        return writer.bytes
    }

    /// - Throws: ``ObjectError`` `.malformed` for anything but the canonical bytes of a node.
    public init(decoding bytes: [UInt8]) throws(ObjectError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 3)
        let format = try reader.unsigned()
        guard TreeNode.isKnown(format: format) else {
            throw ObjectError(.malformed, "tree node of unknown format \(format)")
        }
        let level = try reader.unsigned(as: Int.self)
        guard level <= TreeNode.levelMax else { throw reader.malformed("tree node of level \(level)") }
        let count = try reader.array()
        guard count <= TreeNode.itemCountMax else { throw reader.malformed("node of \(count) items") }
        if level == 0 {
            self = .leaf(try TreeNode.decodeEntries(count, from: &reader))
        } else {
            self = .inner(level: level, try TreeNode.decodeChildren(count, from: &reader))
        }
        guard format == self.format else { throw reader.malformed("not a node of format \(format)") }
        try reader.end()
    }

    private static func decodeEntries(
        _ count: Int, from reader: inout CBORReader
    ) throws(ObjectError) -> [TreeEntry] {
        var entries: [TreeEntry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
            entries.append(try TreeEntry(from: &reader))
            let last = entries.count - 1
            guard last == 0 || entries[last - 1].name < entries[last].name else {
                throw reader.malformed("entries out of order")
            }
        }
        return entries
    }

    private static func decodeChildren(
        _ count: Int, from reader: inout CBORReader
    ) throws(ObjectError) -> [Child] {
        guard count > 0 else { throw reader.malformed("inner node without children") }
        var children: [Child] = []
        children.reserveCapacity(count)
        for _ in 0..<count {
            try reader.array(of: 5)
            let name = try reader.byteString()
            guard FileName.isValid(name) else { throw reader.malformed("not a file name") }
            let child = Child(
                lastName: FileName(unchecked: name), digest: try reader.digest(),
                count: try reader.unsigned(),
                files: try reader.unsigned(), bytes: try reader.unsigned())
            if let last = children.last, !(last.lastName < child.lastName) {
                throw reader.malformed("children out of order")
            }
            children.append(child)
        }
        return children
    }
}

/// Decides where directories are cut into nodes: FNV-1a over the name's bytes, then MurmurHash3's 64-bit
/// finaliser, because FNV alone leaves its low bits uneven. Only names decide, so a change of a file's bytes
/// never moves a cut.
public enum NameHash {
    /// 1 in 128 names ends a node.
    public static let bitsPerLevel = 7

    public static func of(_ name: FileName) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in name.bytes {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ hash >> 33
    }

    /// Whether the node of `level` that holds `name` ends with it. A name that ends a node ends one on every
    /// level below as well.
    public static func ends(_ name: FileName, level: Int) -> Bool {
        of(name).trailingZeroBitCount >= bitsPerLevel * (level + 1)
    }
}
