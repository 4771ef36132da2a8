internal import Objects
internal import Store
internal import Synchronization
internal import SystemPackage

/// `staging/`: a workspace's `upper/` laid over its base version, as one directory tree.
///
/// What is asked about goes through ``lock``; what changes `upper/` passes the workspace's gate first. Both are
/// held during the few system calls of one operation, never while bytes are copied, hashed or synced.
final class StagingTree: Sendable {
    let workspace: Workspace
    let store: Store
    let table: NodeTable
    /// Set once, at the end of `init`: the root knows its tree and the tree its root.
    private let rootHolder: Lock<StagingNode?>

    /// Guards the state of all nodes of the tree, and with it that no two operations touch one name at once.
    let lock = Lock(Links())
    /// One copy-up at a time for each node, by its number: copies take long and ``lock`` is short.
    private let copyUpLocks = (0..<16).map { _ in Lock(()) }

    /// Files of `upper/` that have more than one name, or had one that is gone, by backing inode, so that each has
    /// one node.
    struct Links {
        var byBacking: [UInt64: StagingNode] = [:]
    }

    private struct OpenDirectory {
        let descriptor: Descriptor
        /// The inode that it leads to.
        let backing: UInt64?
    }

    /// Directories of `upper/` that were used lately. The lock is a leaf.
    private let openDirectories = Lock([NodeID: OpenDirectory]())
    private static let openDirectoryCountMax = 128

    /// The nodes that lie in `upper/`, or did when they were given another name: those that a seal changes.
    let staged = StagedNodes()

    /// The number from which those of what the root holds follow.
    let topNumber: Lock<UInt64>

    /// Names of the top directory that the kernel may know to be absent.
    let topAbsences = Lock(TopAbsences())

    struct TopAbsences {
        private var names: Set<FileName> = []
        /// Whether ``names`` are all.
        var isComplete = true
        private static let countMax = 4096

        mutating func add(_ name: FileName) {
            if names.count < TopAbsences.countMax { names.insert(name) } else { isComplete = false }
        }

        /// Returns the names and forgets them; nil where they are not all.
        mutating func take() -> Set<FileName>? {
            defer { self = TopAbsences() }
            return isComplete ? names : nil
        }
    }

    /// What the kernel has of files that were open lately. The lock is a leaf.
    let knownBackings = Lock(RecentlyUsed<NodeID, RegisteredFile>())
    /// Files whose name another has taken a moment ago. The lock is a leaf.
    let replacedFiles = Lock(RecentlyUsed<NodeID, Descriptor>())
    /// Whether a restore or the like is under way: see ``keepDescriptors(of:)``.
    let isBeingReplaced = Atomic<Bool>(false)

    /// Whether open files without a name are kept for the next daemon.
    let keepsUnlinked: Bool
    /// Told of files that nobody writes to any more; nil where they are hashed by the commit alone.
    let hashing: BackgroundHashing?
    /// Gives a file to the kernel, if it takes it.
    let register: @Sendable (Descriptor, _ keepsSetIDs: Bool) -> BackingFile?

    init(
        _ workspace: Workspace, _ store: Store, _ table: NodeTable, id: NodeID, keepsUnlinked: Bool,
        hashing: BackgroundHashing?,
        register: @escaping @Sendable (Descriptor, _ keepsSetIDs: Bool) -> BackingFile?
    ) throws(VFSError) {
        self.keepsUnlinked = keepsUnlinked
        self.hashing = hashing
        self.register = register
        self.workspace = workspace
        self.store = store
        self.table = table
        let upper = try stored { () throws(StoreError) in
            try workspace.overlay.probe(try workspace.place([]))
        }
        guard let upper else { throw VFSError(.ioError, "the workspace has no upper directory") }
        rootHolder = Lock(nil)
        topNumber = Lock(try stored { () throws(StoreError) in try store.topNumber(of: workspace) })
        let root = StagingNode(id: id, upper: upper, kind: .directory, inode: InodeNumber.staging, in: self)
        rootHolder.withLock { $0 = root }
    }

    var root: StagingNode {
        guard let root = rootHolder.withLock({ $0 }) else { preconditionFailure("set by init") }
        return root
    }

    // MARK: Finding. With the lock held.

    /// Where a node of `upper/` lies.
    ///
    /// - Throws: ``VFSError`` `.stale` for one without a name.
    func place(_ node: StagingNode) throws(VFSError) -> Place {
        if let link = table.links(node).first, let parent = link.parent as? StagingNode {
            return try place(parent, link.name)
        }
        guard node === root else { throw .stale }
        return try stored { () throws(StoreError) in try workspace.place([]) }
    }

    func place(_ parent: StagingNode, _ name: FileName) throws(VFSError) -> Place {
        guard parent !== root, parent.isUpper else {
            let place = try longPlace(parent)
            return try stored { () throws(StoreError) in try place.child(name) }
        }
        return Place(directory: try openDirectory(parent), path: RawPath(name))
    }

    /// By all names on the way.
    private func longPlace(_ node: StagingNode) throws(VFSError) -> Place {
        guard let names = table.path(node, below: root) else { throw .stale }
        return try stored { () throws(StoreError) in try workspace.place(names) }
    }

    /// A directory of `upper/`, from among those that were used lately or opened now. Whoever renames it renames what
    /// the descriptor leads to.
    private func openDirectory(_ node: StagingNode) throws(VFSError) -> Descriptor {
        let known = openDirectories.withLock { $0[node.id] }
        if let known, known.backing == node.backing { return known.descriptor }
        let place = try longPlace(node)
        let descriptor = try called { () throws(Errno) in try Syscall.openDirectoryAsHandle(place) }
        openDirectories.withLock {
            if $0.count >= StagingTree.openDirectoryCountMax { $0.removeAll(keepingCapacity: true) }
            $0[node.id] = OpenDirectory(descriptor: descriptor, backing: node.backing)
        }
        return descriptor
    }

    /// To be called when another `upper/` is shown.
    func closeDirectories() { openDirectories.withLock { $0.removeAll() } }

    func probe(_ place: Place) throws(VFSError) -> UpperEntry? {
        try stored { () throws(StoreError) in try workspace.overlay.probe(place) }
    }

    func baseEntry(_ name: FileName, in directory: StagingNode) throws(VFSError) -> TreeEntry? {
        guard let tree = directory.baseTree else { return nil }
        return try stored { () throws(StoreError) in try store.trees.entry(name, in: tree) }
    }

    /// The node of a name; nil where the union has none.
    func child(_ parent: StagingNode, _ name: FileName, _ links: inout Links) throws(VFSError) -> StagingNode?
    {
        guard parent.isDirectory else { throw VFSError(.notDirectory) }
        if let present = table.child(parent, name) as? StagingNode { return present }
        guard table.isLinked(parent) || parent === root else { return nil }
        if parent.isUpper, let upper = try probe(try place(parent, name)) {
            return upper.isWhiteout ? nil : try node(parent, name, upper, &links)
        }
        guard let entry = try baseEntry(name, in: parent) else { return nil }
        let inode = try baseNumber(name, in: parent)
        let node = table.child(parent, name) { id in
            StagingNode(id: id, base: entry, inode: inode, in: self)
        }
        return node as? StagingNode
    }

    /// The node of something found in `upper/`.
    func node(
        _ parent: StagingNode, _ name: FileName, _ upper: UpperEntry, _ links: inout Links
    ) throws(VFSError) -> StagingNode {
        guard let kind = upper.file.kind else { throw VFSError(.ioError) }
        let backing = upper.file.inode
        if kind != .directory, let other = links.byBacking[backing], table.node(other.id) === other,
            table.isLinked(other) || other.file != nil
        {
            table.addLink(other, parent, name)
            other.isSuperseded = false
            return other
        }
        let node = table.child(parent, name) { id in
            StagingNode(
                id: id, upper: upper, kind: kind, inode: number(of: upper, name, in: parent), in: self)
        }
        guard let node = node as? StagingNode else { throw VFSError(.ioError) }
        if kind != .directory, upper.file.linkCount > 1 { links.byBacking[backing] = node }
        return node
    }

    // MARK: Taking into upper/. With the gate passed and the lock held.

    /// Gives a node of the base a place of its own in `upper/`, and before it the directories above. A file's
    /// bytes stay where they are: see ``prepareToWrite(_:)``.
    func materialize(_ node: StagingNode) throws(VFSError) {
        guard case .base(let entry) = node.form else { return }
        guard let link = table.links(node).first, let parent = link.parent as? StagingNode else {
            throw .stale
        }
        try materialize(parent)
        let place = try place(node)
        try stored { () throws(StoreError) in
            try workspace.overlay.layEntry(entry, inode: node.inode, at: place)
        }
        guard let upper = try probe(place) else { throw VFSError(.ioError) }
        node.adopt(upper)
        // Not every kind of file can carry the mark; while it lives the node keeps its number all the same.
        node.hasNumberInMark = true
        noteChange(of: node)
    }

    /// To be called when something of `upper/` has been changed, or may have been, and the gate is still passed: a seal
    /// that is being prepared must look at it again, and at the directories that hold it.
    func noteChange(of node: StagingNode) {
        if node.isDirectory, let backing = node.backing { workspace.tracker.changed(backing) }
        for link in table.links(node) {
            if let backing = (link.parent as? StagingNode)?.backing { workspace.tracker.changed(backing) }
        }
    }

    // MARK: Bytes of its own. With the gate passed, without the lock.

    /// Runs a change of a file's bytes while nobody copies it up, with the lock held. One that has bytes of its own
    /// need not wait for that.
    func withoutCopyUp<Result>(
        of node: StagingNode, _ body: (inout Links) throws(VFSError) -> Result
    ) throws(VFSError) -> Result {
        guard lock.withLock({ _ in !node.hasOwnBytes }) else {
            return try lock.withLock { links throws(VFSError) in try body(&links) }
        }
        return try copyUpLocks[Int(node.id.value % 16)].withLock { _ throws(VFSError) in
            try lock.withLock { links throws(VFSError) in try body(&links) }
        }
    }

    /// Copy-up: gives a file its own bytes. Does nothing for one that has them.
    func prepareToWrite(_ node: StagingNode) throws(VFSError) {
        let isReference = try lock.withLock { links throws(VFSError) in
            if node.file?.isFixed == true { throw try detached(node, &links) }
            try materialize(node)
            return node.reference != nil
        }
        guard isReference else { return }
        try copyUpLocks[Int(node.id.value % 16)].withLock { _ throws(VFSError) in
            let work = try lock.withLock { _ throws(VFSError) in
                guard let reference = node.reference else { return CopyUp?.none }
                let place = try place(node)
                let file = try called { () throws(Errno) in try Syscall.openForWriting(place) }
                return CopyUp(reference: reference, file: file, mark: node.mark, subject: place.display)
            }
            // Another writer was first.
            guard let work else { return }
            try stored { () throws(StoreError) in
                try workspace.overlay.fill(
                    work.file, from: work.reference, mark: work.mark, subject: work.subject)
            }
            node.noteUnmarked()
            lock.withLock { _ in
                node.reference = nil
                noteChange(of: node)
                node.hasNumberInMark = true
                // Who reads it already goes on with the new bytes.
                node.file?.replace(work.file, isWritable: true)
            }
        }
    }

    /// Takes the name from a node whose bytes can neither be written nor be replaced under it: see
    /// ``StagedFile/isFixed``. Who asked looks the name up again and finds a node that can; who reads the old
    /// one goes on with what was sealed.
    ///
    /// - Returns: ESTALE, on which the kernel does look again.
    func detached(_ node: StagingNode, _ links: inout Links) throws(VFSError) -> VFSError {
        node.lastAttributes = try currentAttributes(of: node)
        try keepDescriptor(of: node)
        forgetBacking(node.id)
        if let backing = node.backing, links.byBacking[backing] === node { links.byBacking[backing] = nil }
        for link in table.links(node) { table.removeLink(link.parent, link.name) }
        node.isSuperseded = true
        return .stale
    }

    private struct CopyUp {
        let reference: (digest: Digest, size: UInt64)
        let file: Descriptor
        let mark: UpperMark
        let subject: String
    }
}

/// The numbers of nodes, among which a seal finds those that it changes without looking at all others. The lock is a
/// leaf.
final class StagedNodes: Sendable {
    /// How many nodes have each: after a takeover one may be made while another of that number is still going away.
    private let counts = Lock([NodeID: Int]())

    var ids: [NodeID] { counts.withLock { Array($0.keys) } }

    func add(_ id: NodeID) { counts.withLock { $0[id, default: 0] += 1 } }

    func remove(_ id: NodeID) {
        counts.withLock {
            guard let count = $0[id] else { preconditionFailure("removed more often than added") }
            $0[id] = count == 1 ? nil : count - 1
        }
    }
}
