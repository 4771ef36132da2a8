internal import Objects
internal import Store
internal import Synchronization
internal import SystemPackage

/// Anything below `staging/`. What to do is in ``StagingTree``; this carries the state of one node.
final class StagingNode: Node, @unchecked Sendable {
    // Sendable because the variables are guarded by the tree's lock.
    let tree: StagingTree

    /// Where its attributes are.
    var form: Form
    /// Of a directory: the base directory it is laid over.
    var baseTree: Digest?
    /// Of a file in `upper/`: the blob whose bytes it still has.
    var reference: (digest: Digest, size: UInt64)?
    /// Of something in `upper/`: the backing file's own inode number.
    var backing: UInt64?
    /// Whether its mark says which inode number it has.
    var hasNumberInMark = false
    /// Of a directory: what the base notes of the numbers of what it holds; nil where not asked yet.
    var notedNumbers: [FileName: UInt64]?
    /// Of a directory: it was made since the mount, and nothing in it has lost its name, so that a name it does not
    /// hold was never another file's.
    var isPristine = false
    /// Of a directory: how often what it lists has changed, and how often of it without the kernel's doing.
    private var nameChangeCount: UInt16 = 0
    private var replacementCount: UInt16 = 0
    /// While it is open.
    var file: StagedFile?
    /// How many handles there are on ``file``.
    var openCount = 0
    /// How many of them write.
    var writeCount = 0
    /// Its names lead to other nodes since a seal, a restore or an import. Until the kernel has been told it may still ask
    /// for this one by one of them, and must look it up again.
    var isSuperseded = false
    /// It is, and nobody has it open: a directory may be open without the tree knowing.
    var isForgotten: Bool { isSuperseded && openCount == 0 && !isDirectory }
    /// Whether it is kept among the unlinked files, for the next daemon: see ``StagingTree/keepUnlinked(_:)``.
    var isKeptUnlinked = false
    /// What `chattr` has set. Changed with the tree's lock held, and looked at without.
    private let flagBits = Atomic<UInt32>(0)
    /// How often a file's mark was taken off, and how often it had been at the last fsync; -1 for a file of which
    /// that is not known.
    private let unmarkCount = Atomic<Int>(0)
    private let syncedUnmarkCount = Atomic<Int>(-1)
    /// What was last known of it, once it has no name.
    var lastAttributes: Attributes?
    /// Of a directory that is laid over one of the base: how many directories it shows; nil where not counted yet.
    var directoryCount: UInt64?
    /// Whether a directory gives its children access lists; nil where not asked yet.
    var hasDefaultACL: Bool?
    /// Whether ``StagingTree/staged`` counts it.
    private var isCountedAsStaged = false

    enum Form {
        /// As sealed in the base.
        indirect case base(TreeEntry)
        /// In `upper/`.
        case upper
    }

    init(id: NodeID, base entry: TreeEntry, inode: UInt64, in tree: StagingTree) {
        self.tree = tree
        form = .base(entry)
        baseTree = entry.tree
        super.init(id: id, inode: inode, kind: entry.kind)
        flags = entry.flags
    }

    init(id: NodeID, upper: UpperEntry, kind: EntryKind, inode: UInt64, in tree: StagingTree) {
        self.tree = tree
        form = .upper
        super.init(id: id, inode: inode, kind: kind)
        adopt(upper)
    }

    deinit {
        if isCountedAsStaged { tree.staged.remove(id) }
        if kind == .file { tree.forgetOpened(id) }
    }

    /// Takes over what `upper/` says of it.
    func adopt(_ upper: UpperEntry) {
        if !isCountedAsStaged { tree.staged.add(id) }
        isCountedAsStaged = true
        form = .upper
        baseTree = upper.baseTree
        directoryCount = nil
        reference = upper.reference
        backing = upper.file.inode
        hasNumberInMark = upper.mark.inode != nil
        flags = upper.mark.flags
        notedNumbers = nil
        noteReplacedNames()
    }

    /// Takes over what the base says of it; whatever `upper/` had is gone.
    func adopt(_ entry: TreeEntry) {
        form = .base(entry)
        baseTree = entry.tree
        directoryCount = nil
        reference = nil
        backing = nil
        hasNumberInMark = false
        flags = entry.flags
        notedNumbers = nil
        hasDefaultACL = nil
        noteReplacedNames()
    }

    /// What it lists changes: with the tree's lock held, which is not let go of before it has.
    func noteChangedNames() { nameChangeCount &+= 1 }

    /// The same where the kernel does not know of it.
    func noteReplacedNames() {
        nameChangeCount &+= 1
        replacementCount &+= 1
    }

    /// The base has it now, under its one name: it need not be looked at after the next seal.
    func endStaged() {
        guard isCountedAsStaged else { return }
        tree.staged.remove(id)
        isCountedAsStaged = false
    }

    /// Its mark was taken off, and that is not durable.
    func noteUnmarked() { unmarkCount.wrappingAdd(1, ordering: .sequentiallyConsistent) }

    /// Runs an fsync, or an fdatasync where that is enough: it leaves attributes behind, and after a power cut a mark
    /// that was still there would hide the file's bytes.
    ///
    /// - Parameter sync: is told whether the data alone will do.
    func syncing(dataOnly: Bool, _ sync: (Bool) throws(VFSError) -> Void) throws(VFSError) {
        let count = unmarkCount.load(ordering: .sequentiallyConsistent)
        let isEnough = dataOnly && syncedUnmarkCount.load(ordering: .sequentiallyConsistent) == count
        try sync(isEnough)
        if !isEnough { syncedUnmarkCount.store(count, ordering: .sequentiallyConsistent) }
    }

    /// Whether a file's bytes lie in `upper/`.
    var hasOwnBytes: Bool { isUpper && reference == nil }

    /// A directory has come into this one, or has gone.
    func countDirectory(_ change: Int) {
        if let count = directoryCount { directoryCount = UInt64(clamping: Int(clamping: count) + change) }
    }

    var isUpper: Bool {
        if case .upper = form { true } else { false }
    }

    /// What the attribute on its backing file says once it stands for its own bytes.
    var mark: UpperMark { UpperMark(inode: inode, flags: flags) }

    var flags: FileFlags {
        get { FileFlags(rawValue: flagBits.load(ordering: .relaxed)) }
        set { flagBits.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// None while somebody can write to a file without the daemon: through a mapping the kernel does not notice either.
    /// Nor of one with set-id bits, which go with a write and nobody tells the kernel.
    override var lifetime: Lifetime {
        tree.lock.withLock { _ in
            let hasSetIDs = (lastAttributes?.mode ?? 0) & 0o6000 != 0
            return writeCount > 0 && (file?.backing != nil || hasSetIDs) ? .none : .unlimited
        }
    }

    override var nameLifetime: Lifetime { .unlimited }

    override func attributes() throws(VFSError) -> Attributes { try tree.attributes(of: self) }

    override func birthTime() throws(VFSError) -> Timestamp? { try tree.birthTime(of: self) }

    override func change(_ change: SetAttributes, handle: FileHandle?, by caller: Caller) throws(VFSError) {
        try tree.change(self, change, by: caller)
    }

    override func child(_ name: FileName) throws(VFSError) -> Node? {
        try tree.lock.withLock { links throws(VFSError) in try tree.child(self, name, &links) }
    }

    override func list() throws(VFSError) -> [DirectoryItem] { try tree.list(self) }

    override var listingOrder: ListingOrder {
        tree.lock.withLock { _ in .hashes(version: nameChangeCount, replacements: replacementCount) }
    }

    /// A directory that has lost its name answers that it holds nothing, and may be looked up again.
    override func keepAbsence(of name: FileName) -> Bool {
        guard self === tree.root else { return tree.table.isLinked(self) }
        tree.topAbsences.withLock { $0.add(name) }
        return true
    }

    override func create(_ name: FileName, _ new: NewNode, by caller: Caller) throws(VFSError) -> Node {
        try tree.create(in: self, name, new, by: caller)
    }

    override func link(_ node: Node, as name: FileName) throws(VFSError) {
        guard let node = node as? StagingNode, node.tree === tree else { throw VFSError(.improperLink) }
        try tree.link(node, in: self, as: name)
    }

    override func remove(_ name: FileName, isDirectory: Bool) throws(VFSError) {
        try tree.remove(name, in: self, isDirectory: isDirectory)
    }

    override func rename(
        _ name: FileName, to target: Node, _ newName: FileName, _ mode: RenameMode, request: UInt64
    ) throws(VFSError) {
        // Nothing outside of staging can be changed.
        guard let target = target as? StagingNode, target.tree === tree else { throw .readOnly }
        try tree.rename(name, in: self, to: newName, in: target, mode, request: request)
    }

    override func syncDirectory() throws(VFSError) { try tree.syncDirectory(self) }

    override func target() throws(VFSError) -> [UInt8] { try tree.target(of: self) }

    override func open(_ mode: OpenMode, by caller: Caller) throws(VFSError) -> FileHandle {
        try tree.open(self, mode, by: caller)
    }

    override func reopen(_ mode: OpenMode, backing: KnownBacking?) throws(VFSError) -> FileHandle {
        try tree.reopen(self, mode, backing: backing)
    }

    override func isSlowToOpen(_ mode: OpenMode) -> Bool {
        // Also one that is to be emptied waits, if another is copying it up.
        guard mode.writes || mode.truncates else { return false }
        return tree.lock.withLock { _ in !hasOwnBytes }
    }

    override func fileFlags() throws(VFSError) -> FileFlags { flags }

    override func setFileFlags(
        _ flags: FileFlags, among mask: FileFlags, by caller: Caller
    ) throws(VFSError) {
        try tree.setFlags(of: self, flags, among: mask, by: caller)
    }

    override func extendedAttribute(_ name: [UInt8]) throws(VFSError) -> [UInt8]? {
        try tree.extendedAttribute(name, of: self)
    }

    override func extendedAttributeNames() throws(VFSError) -> [[UInt8]] {
        try tree.extendedAttributeNames(of: self)
    }

    override func setExtendedAttribute(_ name: [UInt8], _ value: [UInt8], flags: Int32) throws(VFSError) {
        try tree.setExtendedAttribute(name, value, flags: flags, of: self)
    }

    override func removeExtendedAttribute(_ name: [UInt8]) throws(VFSError) {
        try tree.setExtendedAttribute(name, nil, flags: 0, of: self)
    }
}
