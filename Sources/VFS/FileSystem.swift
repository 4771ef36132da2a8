public import Objects
public import Store
internal import SystemPackage

/// The mount as the kernel sees it, without the kernel: nodes and handles by number, one method for each
/// operation. Safe from any thread; every method may be called from several at once.
public final class FileSystem: Sendable {
    public let store: Store
    let table: NodeTable
    let forgotten: ForgottenMemory
    let files = HandleTable<FileHandle>()
    let listings = Listings()
    let versions: VersionIndex
    let openBlobs: OpenBlobs
    let owner: Owner
    let started: Timestamp
    /// Where what the kernel knows is noted for the next daemon, if there is to be one.
    let record: MountRecord?
    /// Of requests that the last daemon may not have answered: what it had opened for them.
    let unanswered = Lock([UInt64: HandleID]())
    /// The last daemon's last renames, by request.
    let finishedMoves = Lock(Set<UInt64>())
    /// The last daemon's last commits by `.firn/commit`: the generation of staging that each began with.
    let begunCommits = Lock([UInt64: UInt64]())
    /// How many changes of staging are under way that are not the mount's.
    let replacingCount = Lock(0)
    private let parts = Lock(Parts())
    /// One change of versions at a time is told to the kernel.
    private let changing = Lock(())
    let registration = Lock(BackingRegistration.none)

    /// What knows the file system and is known by it; set once, in `init`.
    private struct Parts {
        var staging: StagingTree?
        var byDate: ByDateDirectory?
        var versions: VersionsDirectory?
    }

    /// - Parameters:
    ///   - workspace: what `staging/` shows.
    ///   - owner: who owns the directories Firn makes up.
    ///   - record: where to note what the kernel learns; nil where nobody would go on after this daemon.
    ///   - hashing: told of staged files that nobody writes to any more.
    public init(
        store: Store, workspace: Workspace, control: ControlFiles, owner: Owner, started: Timestamp,
        record: MountRecord? = nil, hashing: BackgroundHashing? = nil
    ) throws(VFSError) {
        self.store = store
        self.record = record
        table = NodeTable(record: record)
        forgotten = ForgottenMemory(of: table, store.trees)
        self.owner = owner
        self.started = started
        versions = VersionIndex(store)
        openBlobs = OpenBlobs(store)
        let root = RootDirectory(in: self)
        table.addPermanent(root, below: nil, as: .root)
        let staging = try StagingTree(
            workspace, store, table, id: table.newID(), keepsUnlinked: record != nil, hashing: hashing
        ) { [unowned self] in backing($0, keepsSetIDs: $1) }
        table.addPermanent(staging.root, below: root, as: FileName(literal: "staging"))
        let versionsDirectory = VersionsDirectory(id: table.newID(), in: self)
        table.addPermanent(versionsDirectory, below: root, as: FileName(literal: "versions"))
        let byDate = ByDateDirectory(
            id: table.newID(), inode: InodeNumber.sealed(VersionsDirectory.byDate, in: InodeNumber.versions),
            date: [], in: self)
        table.addPermanent(byDate, below: versionsDirectory, as: VersionsDirectory.byDate)
        let control = ControlDirectory(id: table.newID(), control, in: self)
        table.addPermanent(control, below: root, as: FileName(literal: ".firn"))
        parts.withLock { $0 = Parts(staging: staging, byDate: byDate, versions: versionsDirectory) }
    }

    var staging: StagingTree {
        guard let staging = parts.withLock({ $0.staging }) else { preconditionFailure("set by init") }
        return staging
    }

    var versionsDirectory: VersionsDirectory {
        guard let versions = parts.withLock({ $0.versions }) else { preconditionFailure("set by init") }
        return versions
    }

    var byDate: ByDateDirectory {
        guard let byDate = parts.withLock({ $0.byDate }) else { preconditionFailure("set by init") }
        return byDate
    }

    // MARK: For who changes the store beside the kernel

    /// A commit has swapped `upper/`; the gate is closed.
    ///
    /// - Returns: what the kernel must forget, once the gate is open.
    public func sealed() throws(VFSError) -> [Stale] { try staging.rebase() }

    /// `upper/` is about to be changed by something other than the mount, or that has ended and the kernel knows of it.
    public func noteReplacing(_ isReplacing: Bool) {
        replacingCount.withLock { count in
            count += isReplacing ? 1 : -1
            staging.noteReplacing(count > 0)
            if count == (isReplacing ? 1 : 0) { record?.append(.replacing(isReplacing)) }
        }
        if isReplacing { staging.keepDescriptors(of: files.all.compactMap { $0.node as? StagingNode }) }
    }

    /// `upper/` was changed at `paths` by something other than the mount; the gate is closed.
    ///
    /// - Returns: what the kernel must forget, once the gate is open.
    public func replaced(_ paths: [TreePath]) throws(VFSError) -> [Stale] { try staging.replaced(paths) }

    /// Versions or tags have changed.
    ///
    /// - Parameter added: the version that was added, where nothing but it and its tags has changed.
    /// - Returns: names and attributes that are no longer what they were, which the kernel must forget.
    public func versionsChanged(added: Version? = nil) throws(VFSError) -> [Stale] {
        versions.invalidate(added: added)
        return try changing.withLock { _ throws(VFSError) in
            let directory = versionsDirectory
            let (shown, after) = try versions.takeShown()
            var names: Set<FileName> = []
            for before in shown {
                names.formUnion(VersionsDirectory.changedNames(before, after))
            }
            for name in names { table.removeLink(directory, name) }
            return [.attributes(directory.id)] + names.map { .name(parent: directory.id, name: $0) }
        }
    }

    /// Objects were removed: files that nobody has open are let go of, so that their space is free.
    public func objectsRemoved() { openBlobs.removeAll() }

    /// Whether a change of staging would have to wait now for a seal: a hint.
    public var isHeld: Bool { staging.workspace.gate.isClosed }

    /// How many nodes and open files there are.
    public var counts: (nodes: Int, openFiles: Int) { (table.count, files.count) }

    // MARK: Passthrough

    /// From now on files are opened so that the kernel can do without the daemon. To be called before the first
    /// request.
    public func usePassthrough(_ backing: BackingRegistration) {
        registration.withLock { $0 = backing.noting { [record] in record?.append(.released(backing: $0)) } }
    }

    /// Gives `descriptor` to the kernel, if it takes it.
    ///
    /// - Parameter keepsSetIDs: whether what the kernel writes leaves set-id bits as they are.
    func backing(_ descriptor: Descriptor, keepsSetIDs: Bool) -> BackingFile? {
        registration.withLock { $0 }.register(descriptor, keepsSetIDs: keepsSetIDs)
    }

    // MARK: Numbers

    func wasMoved(by request: UInt64) -> Bool { finishedMoves.withLock { $0.contains(request) } }

    func node(_ id: NodeID) throws(VFSError) -> Node {
        if let member = Member(id) {
            guard let directory = table.node(member.directory) as? SealedNode else { throw .stale }
            return try directory.member(member)
        }
        guard let node = table.node(id) else { throw .stale }
        return node
    }
}
