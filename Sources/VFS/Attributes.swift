public import Objects
public import Store

/// What `stat` says of a node.
public struct Attributes: Hashable, Sendable {
    public var inode: UInt64
    public var kind: EntryKind
    /// Permission, set-id and sticky bits.
    public var mode: UInt16
    public var linkCount: UInt64
    public var uid: UInt32
    public var gid: UInt32
    /// As `st_rdev`, for devices.
    public var device: UInt64 = 0
    /// Bytes.
    public var size: UInt64
    /// 512-byte units that are allocated, as `st_blocks`.
    public var blocks: UInt64
    public var atime: Timestamp
    public var mtime: Timestamp
    public var ctime: Timestamp
}

extension Attributes {
    /// Directories of versions and those Firn makes up have one link: "not counted", as on btrfs.
    static let directoryLinkCount: UInt64 = 1

    /// A sealed entry's. Its change time is its modification time: nothing about it has changed since.
    init(_ entry: TreeEntry, inode: UInt64) {
        let isDirectory = entry.kind == .directory
        var device: UInt64 = 0
        if case .device(let number) = entry.content { device = number }
        self.init(
            inode: inode, kind: entry.kind, mode: entry.mode, linkCount: 1, uid: entry.uid, gid: entry.gid,
            device: device, size: isDirectory ? 4096 : entry.size,
            blocks: entry.kind == .file ? (entry.size + 511) / 512 : 0, atime: entry.mtime,
            mtime: entry.mtime, ctime: entry.mtime)
    }

    /// Replaces what a sealed file's size says of its blocks by what its object has. Programs take a file that has
    /// fewer for one with holes.
    mutating func countBlocks(of blob: Digest?, in store: Store) throws(VFSError) {
        // Only a large file can have holes worth knowing of; asking costs a system call.
        guard let blob, size >= 1 << 20 else { return }
        let status = try stored { () throws(StoreError) in try store.blobs.status(blob) }
        if let status { blocks = FileStatus(status).blocks }
    }

    /// A directory that Firn makes up.
    static func directory(inode: UInt64, mode: UInt16, owner: Owner, time: Timestamp) -> Attributes {
        Attributes(
            inode: inode, kind: .directory, mode: mode, linkCount: directoryLinkCount, uid: owner.uid,
            gid: owner.gid, size: 4096, blocks: 0, atime: time, mtime: time, ctime: time)
    }
}

/// Who owns what Firn makes up: the store's owner.
public struct Owner: Hashable, Sendable {
    public let uid: UInt32
    public let gid: UInt32

    public init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }
}

/// What `chmod`, `chown`, `truncate` and `utimensat` ask for; nil leaves as it is.
public struct SetAttributes: Hashable, Sendable {
    public var mode: UInt16?
    public var uid: UInt32?
    public var gid: UInt32?
    public var size: UInt64?
    public var atime: TimeChange?
    public var mtime: TimeChange?

    public init() {}

    /// Also a `chown` that names neither owner nor group, which the kernel sends as no change at all: it takes set-id
    /// bits off and sets the time of the last change. See: `man 2 chown`.
    var changesOwner: Bool { uid != nil || gid != nil || self == SetAttributes() }
}

/// The process that asks. Its permissions were checked by the kernel (`default_permissions`).
public struct Caller: Hashable, Sendable {
    public let uid: UInt32
    public let gid: UInt32
    /// The thread's id, as FUSE gives it; 0 for requests the kernel makes on its own.
    public let pid: Int32
    public let umask: UInt16
    /// The number of its request.
    public let request: UInt64
    /// Whether the request was sent before, to a daemon that has died: it may have been carried out.
    public let isRepeated: Bool

    public init(
        uid: UInt32, gid: UInt32, pid: Int32, umask: UInt16, request: UInt64 = 0, isRepeated: Bool = false
    ) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
        self.umask = umask
        self.request = request
        self.isRepeated = isRepeated
    }

    /// For what Firn does of its own accord.
    static let daemon = Caller(uid: 0, gid: 0, pid: 0, umask: 0)
}

/// A node as an answer to the kernel, which from then on holds one more lookup of it.
public struct Entry: Sendable {
    public let node: NodeID
    public let attributes: Attributes
    public internal(set) var lifetime: Lifetime
    public let nameLifetime: Lifetime
}

/// How long the kernel may keep an answer.
public enum Lifetime: Hashable, Sendable {
    /// Until it is told otherwise: what cannot change, or changes only through the kernel itself.
    case unlimited
    /// Long enough for what the kernel does at once.
    case moment
    /// Must be asked again.
    case none
}

/// A node's number in requests: never reused while the daemon runs. Not the inode number `stat` shows.
public struct NodeID: Hashable, Sendable {
    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }

    /// The mount's top directory, by the protocol.
    public static let root = NodeID(1)
}

/// Which entry of which sealed directory a node is. A sealed directory never changes, so that says all there is to know,
/// and the node need not be kept: see ``SealedNode``.
struct Member: Hashable, Sendable {
    let directory: NodeID
    /// In order of name, from 0.
    let number: UInt64

    private static let mark: UInt64 = 1 << 62
    private static let numberBitCount: UInt64 = 24
    private static let directoryBitCount: UInt64 = 38

    /// - Returns: nil where the numbers are too large to be one.
    init?(of directory: NodeID, number: UInt64) {
        guard directory.value >> Member.directoryBitCount == 0, number >> Member.numberBitCount == 0 else {
            return nil
        }
        self.directory = directory
        self.number = number
    }

    /// - Returns: nil for a node that has a number of its own.
    init?(_ id: NodeID) {
        guard id.value & Member.mark != 0 else { return nil }
        directory = NodeID((id.value ^ Member.mark) >> Member.numberBitCount)
        number = id.value & (1 << Member.numberBitCount - 1)
    }

    var id: NodeID { NodeID(Member.mark | directory.value << Member.numberBitCount | number) }
}

/// An open file or directory in requests.
public struct HandleID: Hashable, Sendable {
    public let value: UInt64

    public init(_ value: UInt64) {
        self.value = value
    }
}

/// How a file is to be opened.
public struct OpenMode: Hashable, Sendable {
    public let reads: Bool
    public let writes: Bool
    public let truncates: Bool
    /// Whether all writes go to the end.
    public let appends: Bool

    public init(reads: Bool, writes: Bool, truncates: Bool, appends: Bool = false) {
        self.reads = reads
        self.writes = writes
        self.truncates = truncates
        self.appends = appends
    }
}

/// An open file as an answer to the kernel.
public struct OpenedFile: Sendable {
    public let handle: HandleID
    /// The pages the kernel has of it stay right.
    public let keepsCache: Bool
    /// Reads and writes are to come here, whatever the kernel has.
    public let isDirect: Bool
    /// Reads and writes are to go there instead.
    public let backing: BackingFile?
}
