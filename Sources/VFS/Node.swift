internal import Objects
internal import Store
internal import SystemPackage

/// One thing in the mount that the kernel knows or has asked about. Each kind of directory is a subclass and
/// says what lookups, listings and changes do there; this class refuses them all.
///
/// `lookups`, `parent`, `name` and `children` are the table's: see ``NodeTable``.
class Node: @unchecked Sendable {
    // Sendable because every variable below and in subclasses names the lock that guards it.
    let id: NodeID
    /// What `stat` shows. Does not change while the node lives.
    let inode: UInt64
    let kind: EntryKind

    /// The directory by whose number it goes; nil for a node that has its own. See ``Member``.
    var holder: Node? { nil }

    // Guarded by the table's lock.
    final var lookups: UInt64 = 0
    /// Those of its members.
    final var memberLookups: UInt64 = 0
    final var links: [NodeLink] = []
    final var children: [FileName: Node] = [:]

    init(id: NodeID, inode: UInt64, kind: EntryKind) {
        self.id = id
        self.inode = inode
        self.kind = kind
    }

    var isDirectory: Bool { kind == .directory }

    /// How long the kernel may keep its attributes.
    var lifetime: Lifetime { .unlimited }

    /// The same of its name alone.
    var nameLifetime: Lifetime { lifetime }

    func attributes() throws(VFSError) -> Attributes { throw .stale }

    /// When it was made; nil where nobody has kept that, as of everything that is sealed.
    func birthTime() throws(VFSError) -> Timestamp? { nil }

    func change(_ change: SetAttributes, handle: FileHandle?, by caller: Caller) throws(VFSError) {
        throw .readOnly
    }

    // MARK: As a directory

    /// The child's node, made if need be; not yet counted as looked up. nil where there is no such name.
    func child(_ name: FileName) throws(VFSError) -> Node? { throw VFSError(.notDirectory) }

    /// What it holds, in any order; a constant directory always in the same.
    func list() throws(VFSError) -> [DirectoryItem] { throw VFSError(.notDirectory) }

    var listingOrder: ListingOrder { .changing }

    /// Whether the kernel may keep that a name is not there, which is asked for it.
    func keepAbsence(of name: FileName) -> Bool { false }

    func create(_ name: FileName, _ new: NewNode, by caller: Caller) throws(VFSError) -> Node {
        throw .readOnly
    }

    func link(_ node: Node, as name: FileName) throws(VFSError) { throw .readOnly }

    func remove(_ name: FileName, isDirectory: Bool) throws(VFSError) { throw .readOnly }

    /// To another directory of the same kind, by ``FileSystem/rename(_:_:to:_:mode:)``.
    ///
    /// - Parameter request: the number of the kernel's request.
    func rename(
        _ name: FileName, to target: Node, _ newName: FileName, _ mode: RenameMode, request: UInt64
    ) throws(VFSError) {
        throw .readOnly
    }

    func syncDirectory() throws(VFSError) {}

    // MARK: As a file

    func target() throws(VFSError) -> [UInt8] { throw VFSError(.invalidArgument) }

    func open(_ mode: OpenMode, by caller: Caller) throws(VFSError) -> FileHandle { throw .readOnly }

    /// Opens it as it was open before, for a daemon that is gone.
    ///
    /// - Parameter backing: what the kernel reads and writes without asking, if it does.
    func reopen(_ mode: OpenMode, backing: KnownBacking?) throws(VFSError) -> FileHandle { throw .stale }

    /// Whether opening would copy bytes, and so is not for a thread that must answer others.
    func isSlowToOpen(_ mode: OpenMode) -> Bool { false }

    // MARK: Flags and extended attributes

    /// What `lsattr` shows.
    func fileFlags() throws(VFSError) -> FileFlags { [] }

    func setFileFlags(_ flags: FileFlags, among mask: FileFlags, by caller: Caller) throws(VFSError) {
        throw .readOnly
    }

    func extendedAttribute(_ name: [UInt8]) throws(VFSError) -> [UInt8]? { nil }

    func extendedAttributeNames() throws(VFSError) -> [[UInt8]] { [] }

    func setExtendedAttribute(_ name: [UInt8], _ value: [UInt8], flags: Int32) throws(VFSError) {
        throw .readOnly
    }

    func removeExtendedAttribute(_ name: [UInt8]) throws(VFSError) { throw .readOnly }
}

/// One name of a node.
struct NodeLink {
    let parent: Node
    let name: FileName
}

/// What is to be made under a new name.
enum NewNode: Hashable, Sendable {
    case file(mode: UInt16)
    case directory(mode: UInt16)
    case symlink(target: [UInt8])
    /// A fifo, socket or device, or a plain file by `mknod`.
    case special(EntryKind, mode: UInt16, device: UInt64)
}

public enum RenameMode: Hashable, Sendable {
    case replace, noReplace, exchange
    /// A character device 0:0 takes the old name, which to an overlay over this filesystem means a deletion.
    case leavingDevice(replaces: Bool)
}

/// One line of a listing. Attributes come from looking the name up.
struct DirectoryItem: Sendable {
    let name: FileName
    let kind: EntryKind
    /// What `stat` will show, where that is known without asking.
    let inode: UInt64?
}

/// An open file.
class FileHandle: @unchecked Sendable {
    // Sendable because subclasses guard what they have.
    let node: Node
    let opened: (keepsCache: Bool, isDirect: Bool)

    init(_ node: Node, keepsCache: Bool, isDirect: Bool = false) {
        self.node = node
        opened = (keepsCache, isDirect)
    }

    /// Fills `buffer` from `offset`; returns fewer bytes only at the end of the file.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(VFSError) -> Int {
        throw VFSError(.badFileDescriptor)
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64, by caller: Caller) throws(VFSError) -> Int {
        throw VFSError(.badFileDescriptor)
    }

    /// When a descriptor of it is closed; its error is what `close` returns.
    func flush() throws(VFSError) {}

    func sync(dataOnly: Bool) throws(VFSError) {}

    /// When the last descriptor and mapping are gone.
    func release() {}

    func allocate(mode: Int32, offset: Int64, length: Int64, by caller: Caller) throws(VFSError) {
        throw .notSupported
    }

    func seek(_ target: Syscall.SeekTarget, from offset: Int64) throws(VFSError) -> Int64 {
        throw .notSupported
    }

    /// Where the kernel reads and writes without asking, if it does.
    var backing: BackingFile? { nil }

    /// The open file behind it, for copies inside the kernel.
    func descriptor() throws(VFSError) -> Descriptor { throw .notSupported }
}
