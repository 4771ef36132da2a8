internal import Objects
internal import Store
internal import SystemPackage

/// Anything inside a sealed version. It can never change, so the kernel may keep all it learns.
///
/// Directories are kept in the table while the kernel knows them. What they hold beside directories is made anew for
/// each request: a version may have millions of files, and the kernel remembers all that it has looked at.
final class SealedNode: Node, @unchecked Sendable {
    // Sendable because all of it is constant.
    private let entry: TreeEntry
    private let version: VersionNumber
    private let fileSystem: FileSystem
    private let directory: SealedNode?

    /// - Parameter directory: the directory by whose number it goes; nil if it has its own.
    init(
        id: NodeID, inode: UInt64, entry: TreeEntry, of version: VersionNumber,
        memberOf directory: SealedNode? = nil,
        in fileSystem: FileSystem
    ) {
        self.entry = entry
        self.version = version
        self.directory = directory
        self.fileSystem = fileSystem
        super.init(id: id, inode: inode, kind: entry.kind)
    }

    override var holder: Node? { directory }

    override func attributes() throws(VFSError) -> Attributes {
        var attributes = Attributes(entry, inode: inode)
        try attributes.countBlocks(of: entry.blob, in: fileSystem.store)
        return attributes
    }

    override func child(_ name: FileName) throws(VFSError) -> Node? {
        guard let tree = entry.tree else { throw VFSError(.notDirectory) }
        if let present = fileSystem.table.child(self, name) { return present }
        let found = try kept { () throws(StoreError) in
            try fileSystem.store.trees.numberedEntry(name, in: tree)
        }
        guard let (number, entry) = found else { return nil }
        if entry.kind != .directory, let member = Member(of: id, number: number) {
            return node(for: entry, member.id, memberOf: self)
        }
        return fileSystem.table.child(self, name) { id in node(for: entry, id, memberOf: nil) }
    }

    /// - Throws: ``VFSError`` `.stale` for a number that none of its members has.
    func member(_ member: Member) throws(VFSError) -> Node {
        guard let tree = entry.tree else { throw .stale }
        let entry = try kept { () throws(StoreError) in
            try fileSystem.store.trees.entry(numbered: member.number, in: tree)
        }
        guard let entry, entry.kind != .directory else { throw .stale }
        return node(for: entry, member.id, memberOf: self)
    }

    private func node(for entry: TreeEntry, _ id: NodeID, memberOf directory: SealedNode?) -> SealedNode {
        SealedNode(
            id: id, inode: InodeNumber.sealed(entry.name, in: inode), entry: entry, of: version,
            memberOf: directory, in: fileSystem)
    }

    override var listingOrder: ListingOrder { .constant }

    override func keepAbsence(of name: FileName) -> Bool { true }

    override func list() throws(VFSError) -> [DirectoryItem] {
        guard let tree = entry.tree else { throw VFSError(.notDirectory) }
        let entries = try kept { () throws(StoreError) in try fileSystem.store.trees.entries(in: tree) }
        return entries.map {
            DirectoryItem(name: $0.name, kind: $0.kind, inode: InodeNumber.sealed($0.name, in: inode))
        }
    }

    override func target() throws(VFSError) -> [UInt8] {
        guard case .target(let target) = entry.content else { throw VFSError(.invalidArgument) }
        return target
    }

    override func open(_ mode: OpenMode, by caller: Caller) throws(VFSError) -> FileHandle {
        if mode.writes || mode.truncates { throw .readOnly }
        guard let blob = entry.blob else { throw VFSError(.invalidArgument) }
        return SealedFile(self, try openBlob(blob))
    }

    override func reopen(_ mode: OpenMode, backing: KnownBacking?) throws(VFSError) -> FileHandle {
        guard let blob = entry.blob else { throw .stale }
        return SealedFile(self, try openBlob(blob, backing))
    }

    private func openBlob(_ digest: Digest, _ known: KnownBacking? = nil) throws(VFSError) -> OpenBlob {
        if let shared = fileSystem.openBlobs.share(of: id) { return shared }
        let open = try kept { () throws(StoreError) in
            try fileSystem.openBlobs.open(digest, size: entry.size, as: known) {
                fileSystem.backing($0, keepsSetIDs: true)
            }
        }
        return fileSystem.openBlobs.share(open, with: id)
    }

    /// One of its handles is closed.
    func close() { fileSystem.openBlobs.endShare(of: id) }

    /// Reads of the store what the version holds. Once that is forgotten it may hold nothing any more, which is no
    /// damage: who stands in it, or has yet to open what was listed, meets a file that is gone.
    private func kept<Result>(_ body: () throws(StoreError) -> Result) throws(VFSError) -> Result {
        do throws(StoreError) { return try body() } catch {
            guard error.code == .damaged else { throw VFSError(error) }
            let known = try stored { () throws(StoreError) in try fileSystem.store.version(version) }
            throw known == nil ? .stale : VFSError(error)
        }
    }

    override func extendedAttribute(_ name: [UInt8]) throws(VFSError) -> [UInt8]? {
        if let value = entry.xattrs.first(where: { $0.name == name })?.value {
            return UpperMark.isReserved(name) ? nil : value
        }
        // `ls -l` asks every file, but no other of a filesystem that says it has none of them.
        if name == SealedNode.label { throw .notSupported }
        return nil
    }

    /// Belongs to the machine, and is not sealed.
    private static let label = Array("security.selinux".utf8)

    override func extendedAttributeNames() throws(VFSError) -> [[UInt8]] { entry.shownAttributes.map(\.name) }

    override func fileFlags() throws(VFSError) -> FileFlags { entry.flags }
}

extension TreeEntry {
    /// The extended attributes that the mount shows.
    var shownAttributes: [ExtendedAttribute] { xattrs.filter { !UpperMark.isReserved($0.name) } }
}

/// An open sealed file.
final class SealedFile: FileHandle, @unchecked Sendable {
    // Sendable because it is constant.
    private let blob: OpenBlob
    private let file: SealedNode

    init(_ node: SealedNode, _ blob: OpenBlob) {
        self.blob = blob
        file = node
        super.init(node, keepsCache: true)
    }

    override func release() { file.close() }

    override func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(VFSError) -> Int {
        let descriptor = try descriptor()
        return try called { () throws(Errno) in
            try Syscall.read(descriptor.fd, into: buffer, at: Int(offset))
        }
    }

    override func seek(_ target: Syscall.SeekTarget, from offset: Int64) throws(VFSError) -> Int64 {
        let descriptor = try descriptor()
        let found = try called { () throws(Errno) in
            try Syscall.seek(descriptor.fd, to: target, from: Int(offset))
        }
        guard let found else { throw VFSError(.noSuchAddressOrDevice) }
        return Int64(found)
    }

    override func descriptor() throws(VFSError) -> Descriptor {
        try stored { () throws(StoreError) in try blob.descriptor() }
    }

    override var backing: BackingFile? { blob.backing }
}
