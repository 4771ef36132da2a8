internal import Objects
internal import Store
internal import Synchronization
internal import SystemPackage

// The kernel's way to files of `upper/`: see ``BackingFile``.
//
// It keeps files that nobody has open any more, for who opens them next: to open one for reading costs no system call then.
// It has no access to them meanwhile, so the seal need not care. With the tree's lock held, but for what says otherwise.
extension StagingTree {
    /// A file of `upper/` that the kernel has.
    struct RegisteredFile: Sendable {
        let backing: BackingFile
        /// The backing file's own inode number.
        let inode: UInt64
        /// Whether what the kernel writes leaves set-id bits as they are.
        let keepsSetIDs: Bool
    }

    /// In one half. A registered file costs the kernel some 300 bytes, and the backing filesystem keeps its inode.
    private static let countMax = 32_768

    /// What the kernel has of a file that has bytes of its own and that nobody has open.
    func knownBacking(of node: StagingNode, for caller: Caller) -> BackingFile? {
        guard node.hasOwnBytes, !node.flags.contains(.appendOnly), table.isLinked(node),
            !isBeingReplaced.load(ordering: .sequentiallyConsistent),
            let known = knownBackings.withLock({ $0.find(node.id) }), known.inode == node.backing,
            known.keepsSetIDs == (caller.uid == 0)
        else { return nil }
        return known.backing
    }

    /// Gives an open file to the kernel. Not one with set-id bits: a write must take them away, which the kernel leaves to
    /// the daemon. By a descriptor that cannot write, since the seal takes others for writers.
    ///
    /// - Parameter caller: who opens it. It may be given set-id bits while it is open, which a write by anybody but
    ///   root takes away; the kernel does so for all who write to it, or for none.
    func backing(_ descriptor: Descriptor, for caller: Caller) throws(VFSError) -> BackingFile? {
        try called { () throws(Errno) in
            guard try Syscall.status(descriptor).mode & 0o6000 == 0 else { return nil }
            let handle = try Syscall.reopenAsHandle(descriptor)
            return register(handle, caller.uid == 0)
        }
    }

    /// The same of a file that may be known already. One that is only added to must not be reached past the daemon, by
    /// a mapping for instance.
    func backing(
        _ descriptor: Descriptor, of node: StagingNode, for caller: Caller
    ) throws(VFSError) -> BackingFile? {
        if node.flags.contains(.appendOnly) { return nil }
        let backing = try backing(descriptor, for: caller)
        if let backing { keep(backing, of: node, for: caller) }
        return backing
    }

    /// Keeps what the kernel has of a file for who opens it next.
    func keep(_ backing: BackingFile, of node: StagingNode, for caller: Caller) {
        guard let inode = node.backing, node.hasOwnBytes else { return }
        let file = RegisteredFile(backing: backing, inode: inode, keepsSetIDs: caller.uid == 0)
        let gone = knownBackings.withLock { $0.keep(file, for: node.id, halfCount: StagingTree.countMax) }
        // Many are not for who waits for the lock.
        if gone.count > 1 { letGoLater([gone]) }
    }

    /// Has the kernel let go of a file, as soon as nobody has it open. Without the lock as well.
    func forgetBacking(_ id: NodeID) {
        let gone = knownBackings.withLock { $0.remove(id) }
        withExtendedLifetime(gone) {}
    }

    /// The same of a file that has lost a name: its room is to be free when it has lost all of them. That of a small one is
    /// when the kernel forgets the node, a moment later, for which nobody waits.
    func forgetBacking(ofUnlinked node: StagingNode) {
        let blockCount = node.lastAttributes?.blocks ?? .max
        // One that is open may grow yet.
        if blockCount >= StagingTree.promptlyFreed || node.openCount > 0 { forgetBacking(node.id) }
    }

    private static let promptlyFreed: UInt64 = (64 << 10) / 512

    /// The same of all files, and of those that were replaced: what they were may be a version's now.
    func forgetBackings() {
        letGoLater(knownBackings.withLock { $0.removeAll() })
        let gone = replacedFiles.withLock { $0.removeAll() }
        withExtendedLifetime(gone) {}
    }

    // MARK: While something is replaced

    /// From now on what is opened has a descriptor from the beginning, or need not any more.
    func noteReplacing(_ isReplacing: Bool) {
        isBeingReplaced.store(isReplacing, ordering: .sequentiallyConsistent)
    }

    /// Something other than the mount is about to put other files in place of some that may be open: what is open gets
    /// descriptors by the names it still has, as far as there is room for them.
    ///
    /// - Parameter open: the nodes that are open, but for those that are opened at this moment. Without the lock.
    func keepDescriptors(of open: [StagingNode]) {
        for node in open {
            lock.withLock { _ in
                guard let file = node.file, file.descriptor == nil else { return }
                // One that is not to be had is no reason to refuse the restore: the kernel reads and writes on.
                if let descriptor = try? descriptor(of: node, file) { file.offer(descriptor) }
            }
        }
    }

    // MARK: While a name passes to another file

    /// The file at `target`, which is about to lose its only name to another: who found it by that name may be about to open
    /// it, and the kernel looks the name up again once only. Not a large one, whose room is to be free.
    ///
    /// - Returns: nil where nobody can be, or where it cannot be had.
    func mayBeOpenedYet(_ node: StagingNode, at target: Place) -> Descriptor? {
        guard node.kind == .file, node.hasOwnBytes, node.openCount == 0, let last = node.lastAttributes,
            last.linkCount == 1, last.blocks < StagingTree.promptlyFreed
        else { return nil }
        // Without it the rename is as right, and the open has to look the name up again.
        return try? Syscall.openAsHandle(target)
    }

    /// Keeps it until the kernel has forgotten the node, or the next seal.
    func keep(_ file: Descriptor, ofReplaced node: StagingNode) {
        if table.isLinked(node) { return }
        let gone = replacedFiles.withLock {
            $0.keep(file, for: node.id, halfCount: StagingTree.replacedCountMax)
        }
        withExtendedLifetime(gone) {}
    }

    private static let replacedCountMax = 64

    /// - Returns: nil where none is kept.
    func openReplaced(_ node: StagingNode, writes: Bool) throws(VFSError) -> Descriptor? {
        guard node.hasOwnBytes, !table.isLinked(node), let file = replacedFiles.withLock({ $0.find(node.id) })
        else { return nil }
        return try called { () throws(Errno) in
            guard try Syscall.status(file).inode == node.backing else { return nil }
            return writes ? try Syscall.reopenForWriting(file) : try Syscall.reopenForReading(file)
        }
    }

    /// What is kept of a node goes with it.
    func forgetOpened(_ id: NodeID) {
        forgetBacking(id)
        let gone = replacedFiles.withLock { $0.remove(id) }
        withExtendedLifetime(gone) {}
    }

    private static let letGoAtOnce = 8

    private func letGoLater(_ gone: [[NodeID: RegisteredFile]]) {
        // A few are let go of in less time than a thread takes to start.
        if gone.reduce(0, { $0 + $1.count }) <= StagingTree.letGoAtOnce { return }
        runAside { withExtendedLifetime(gone) {} }
    }
}
