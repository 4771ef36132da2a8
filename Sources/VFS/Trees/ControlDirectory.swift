internal import Objects
public import Store
internal import SystemPackage

/// What the files of `.firn/` say and do. The mount only carries bytes; whoever made it gives them meaning.
public struct ControlFiles: Sendable {
    /// `store`: JSON that says which store this shows, and costs nothing to make, unlike the status.
    public var store: @Sendable () -> [UInt8]
    /// `status`: JSON.
    public var status: @Sendable () -> [UInt8]
    /// `metrics`: Prometheus text.
    public var metrics: @Sendable () -> [UInt8]
    /// `last-commit`: JSON.
    public var lastCommit: @Sendable () -> [UInt8]
    /// What has been written to `commit` so far, by whom, and what is to be called when it is a whole request that is
    /// about to be done. That gives the generation of staging that the request began with, where a daemon that died may
    /// have carried it out.
    public var commit: @Sendable ([UInt8], Caller, _ begin: () -> UInt64?) -> ControlWrite

    /// `commit` was closed on something that is no whole request.
    public var commitWasCutShort: @Sendable () -> Void

    public init(
        store: @escaping @Sendable () -> [UInt8], status: @escaping @Sendable () -> [UInt8],
        metrics: @escaping @Sendable () -> [UInt8], lastCommit: @escaping @Sendable () -> [UInt8],
        commit: @escaping @Sendable ([UInt8], Caller, () -> UInt64?) -> ControlWrite,
        commitWasCutShort: @escaping @Sendable () -> Void
    ) {
        self.commitWasCutShort = commitWasCutShort
        self.store = store
        self.status = status
        self.metrics = metrics
        self.lastCommit = lastCommit
        self.commit = commit
    }
}

/// What became of bytes written to a control file.
public enum ControlWrite: Sendable {
    /// Not a whole request yet.
    case incomplete
    case done
    case failed(StoreError)
}

/// `.firn/`: for who sees only the mount.
final class ControlDirectory: Node, @unchecked Sendable {
    // Sendable because it is constant.
    private let fileSystem: FileSystem
    private let files: ControlFiles

    init(id: NodeID, _ files: ControlFiles, in fileSystem: FileSystem) {
        self.fileSystem = fileSystem
        self.files = files
        super.init(id: id, inode: InodeNumber.control, kind: .directory)
    }

    override func attributes() throws(VFSError) -> Attributes {
        .directory(inode: inode, mode: 0o555, owner: fileSystem.owner, time: fileSystem.started)
    }

    private static let names: [FileName] = [
        FileName(literal: "commit"), FileName(literal: "last-commit"), FileName(literal: "metrics"),
        FileName(literal: "status"), FileName(literal: "store"),
    ]

    override func child(_ name: FileName) throws(VFSError) -> Node? {
        let inode = InodeNumber.sealed(name, in: self.inode)
        let content: ControlFile.Content
        switch name.display {
        case "store": content = .text(files.store)
        case "status": content = .text(files.status)
        case "metrics": content = .text(files.metrics)
        case "last-commit": content = .text(files.lastCommit)
        case "commit": content = .commit(files)
        default: return nil
        }
        return fileSystem.table.child(self, name) { id in
            ControlFile(id: id, inode: inode, content, in: fileSystem)
        }
    }

    override var listingOrder: ListingOrder { .constant }

    override func list() throws(VFSError) -> [DirectoryItem] {
        ControlDirectory.names.map {
            DirectoryItem(name: $0, kind: .file, inode: InodeNumber.sealed($0, in: inode))
        }
    }
}

/// One file of `.firn/`. Its size is not known before it is read, so it says 0, as files of /proc do, and is
/// read past the kernel's cache.
final class ControlFile: Node, @unchecked Sendable {
    // Sendable because it is constant.
    enum Content: Sendable {
        case text(@Sendable () -> [UInt8])
        case commit(ControlFiles)
    }

    private let content: Content
    private let fileSystem: FileSystem

    init(id: NodeID, inode: UInt64, _ content: Content, in fileSystem: FileSystem) {
        self.content = content
        self.fileSystem = fileSystem
        super.init(id: id, inode: inode, kind: .file)
    }

    override var lifetime: Lifetime { .none }

    override func attributes() throws(VFSError) -> Attributes {
        let time = fileSystem.started
        var attributes = Attributes(
            inode: inode, kind: .file, mode: 0o444, linkCount: 1, uid: fileSystem.owner.uid,
            gid: fileSystem.owner.gid, size: 0, blocks: 0, atime: time, mtime: time, ctime: time)
        if case .commit = content {
            // Whoever may write to staging/ may commit it.
            let staging = try fileSystem.staging.root.attributes()
            attributes.uid = staging.uid
            attributes.gid = staging.gid
            attributes.mode = staging.mode & 0o222
        }
        return attributes
    }

    /// `> .firn/commit` truncates first; there is nothing to truncate.
    override func change(_ change: SetAttributes, handle: FileHandle?, by caller: Caller) throws(VFSError) {
        guard case .commit = content, change.mode == nil, change.uid == nil, change.gid == nil else {
            throw VFSError(.notPermitted)
        }
    }

    override func open(_ mode: OpenMode, by caller: Caller) throws(VFSError) -> FileHandle {
        try reopen(mode, backing: nil)
    }

    override func reopen(_ mode: OpenMode, backing: KnownBacking?) throws(VFSError) -> FileHandle {
        switch content {
        case .text(let text):
            if mode.writes { throw VFSError(.permissionDenied) }
            return ControlTextHandle(self, text())
        case .commit(let files):
            if mode.reads { throw VFSError(.permissionDenied) }
            return ControlCommitHandle(self, files, fileSystem)
        }
    }
}

/// A control file open for reading: what it said when it was opened.
private final class ControlTextHandle: FileHandle, @unchecked Sendable {
    // Sendable because it is constant.
    private let text: [UInt8]

    init(_ node: Node, _ text: [UInt8]) {
        self.text = text
        super.init(node, keepsCache: false, isDirect: true)
    }

    override func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(VFSError) -> Int {
        let rest = text.dropFirst(Int(clamping: offset)).prefix(buffer.count)
        buffer.copyBytes(from: rest)
        return rest.count
    }
}

/// `.firn/commit` open for writing. The write that completes a request commits and returns its error; bytes
/// that make no whole request are the error of `close`.
private final class ControlCommitHandle: FileHandle, @unchecked Sendable {
    // Sendable because `pending` is behind a lock.
    private let files: ControlFiles
    private let fileSystem: FileSystem
    private let pending = Lock([UInt8]())

    private static let requestByteCountMax = 1 << 20

    init(_ node: Node, _ files: ControlFiles, _ fileSystem: FileSystem) {
        self.files = files
        self.fileSystem = fileSystem
        super.init(node, keepsCache: false, isDirect: true)
    }

    override func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, by caller: Caller
    ) throws(VFSError) -> Int {
        try pending.withLock { (pending) throws(VFSError) in
            pending.append(contentsOf: bytes)
            guard pending.count <= ControlCommitHandle.requestByteCountMax else {
                pending.removeAll()
                throw VFSError(.fileTooLarge)
            }
            switch files.commit(pending, caller, { begin(caller) }) {
            case .incomplete: break
            case .done: pending.removeAll()
            case .failed(let error):
                pending.removeAll()
                throw VFSError(error)
            }
            return bytes.count
        }
    }

    /// Notes for the next daemon with which generation of staging the request begins.
    ///
    /// - Returns: with which it began, where another daemon has received it before.
    private func begin(_ caller: Caller) -> UInt64? {
        if caller.isRepeated, let begun = fileSystem.begunCommits.withLock({ $0[caller.request] }) {
            return begun
        }
        fileSystem.record?.append(
            .committing(request: caller.request, generation: fileSystem.staging.workspace.generation))
        return nil
    }

    override func flush() throws(VFSError) {
        let isCut = pending.withLock { pending in
            defer { pending.removeAll() }
            return pending.contains { $0 > 0x20 }
        }
        guard isCut else { return }
        files.commitWasCutShort()
        throw VFSError(.invalidArgument, "what was written to .firn/commit is not a JSON object")
    }
}
