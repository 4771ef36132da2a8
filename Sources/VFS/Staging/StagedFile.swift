internal import Objects
internal import Store
internal import Synchronization
internal import SystemPackage

/// The bytes behind an open file of staging, shared by all its handles: the backing file in `upper/`, or the
/// blob as long as nobody has written.
///
/// A file of `upper/` may be the kernel's to read and write (``backing``). One that is opened while its bytes
/// are still a blob's is not, for as long as it is open: when somebody writes to it the bytes move, and who reads
/// it must see that.
final class StagedFile: Sendable {
    private struct State {
        /// nil where only the kernel has the file open.
        var descriptor: Descriptor?
        /// Whether it may keep one beside the kernel's.
        var hasRoom: Bool
        var isWritable: Bool
        var isBlob: Bool
        var isParted = false
        /// How often bytes of it could not be written back, and why the last time.
        var lossCount = 0
        var lastLoss: Errno?

        mutating func makesRoom() -> Bool {
            if !hasRoom { hasRoom = StagedFile.takeRoom() }
            return hasRoom
        }
    }

    private let state: Lock<State>
    let backing: BackingFile?

    /// How many descriptors there are beside the kernel's. The daemon may have few, and the kernel many files: once half of
    /// them are used up it opens a file for the moment when it needs one.
    private static let roomTaken = Atomic<Int>(0)
    private static let room = Syscall.descriptorLimit / 2

    private static func takeRoom() -> Bool {
        if roomTaken.wrappingAdd(1, ordering: .relaxed).newValue <= room { return true }
        roomTaken.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// - Parameters:
    ///   - descriptor: nil where the kernel has the file, and nobody else needs it for now.
    ///   - hasName: by which it can be opened again; where there is none the descriptor must be kept.
    init(
        _ descriptor: Descriptor?, isWritable: Bool, isBlob: Bool, backing: BackingFile? = nil,
        hasName: Bool = true
    ) {
        self.backing = backing
        let hasRoom = backing != nil && descriptor != nil && StagedFile.takeRoom()
        let keeps = hasRoom || backing == nil || !hasName
        state = Lock(
            State(
                descriptor: keeps ? descriptor : nil, hasRoom: hasRoom, isWritable: isWritable, isBlob: isBlob
            ))
    }

    deinit {
        if state.withLock({ $0.hasRoom }) { StagedFile.roomTaken.wrappingSubtract(1, ordering: .relaxed) }
    }

    /// The one that is kept: see ``StagingTree/descriptor(of:_:)``.
    var descriptor: Descriptor? { state.withLock { $0.descriptor } }
    var isWritable: Bool { state.withLock { $0.isWritable } }
    /// The bytes are sealed ones.
    var isBlob: Bool { state.withLock { $0.isBlob } }

    /// It was sealed and can be read on, but nobody may write to it, and no other file can take its place while it is
    /// open: the kernel reads it without asking, or may still mean another of the names that the seal has parted.
    var isFixed: Bool { state.withLock { $0.isBlob && (backing != nil || $0.isParted) } }

    /// Reads under way finish with the old descriptor.
    func replace(_ descriptor: Descriptor, isWritable: Bool) {
        state.withLock {
            $0 = State(
                descriptor: descriptor, hasRoom: $0.hasRoom, isWritable: isWritable, isBlob: false,
                lossCount: $0.lossCount, lastLoss: $0.lastLoss)
        }
    }

    /// The kernel has said that bytes could not be written back, which it says once for the descriptor that all handles
    /// share: each of them is to hear of it.
    func noteLoss(_ error: Errno) {
        state.withLock {
            $0.lossCount += 1
            $0.lastLoss = error
        }
    }

    var losses: (count: Int, last: Errno?) { state.withLock { ($0.lossCount, $0.lastLoss) } }

    /// Keeps a descriptor from now on.
    func keep(_ descriptor: Descriptor) { state.withLock { $0.descriptor = descriptor } }

    /// Keeps none from now on, where the daemon is to do without: there is a name by which to open it again.
    func letGo() {
        if backing == nil { return }
        state.withLock { if !$0.hasRoom { $0.descriptor = nil } }
    }

    /// Keeps a descriptor that was opened for the moment, if there is none yet and there is room for it.
    func offer(_ descriptor: Descriptor) {
        state.withLock { state in
            if state.descriptor == nil, state.makesRoom() { state.descriptor = descriptor }
        }
    }

    /// The kernel alone has it open, and may write from now on.
    ///
    /// - Parameter open: opens it for writing, which is done where there is room for a descriptor. With the tree's lock held.
    func startWriting<Failure>(_ open: () throws(Failure) -> Descriptor) throws(Failure) {
        let descriptor = state.withLock({ $0.makesRoom() }) ? try open() : nil
        state.withLock {
            $0.descriptor = descriptor
            $0.isWritable = true
        }
    }

    /// Goes on with a descriptor that cannot write. Where there is none to be had the seal copies the file
    /// instead of linking it, and nothing else is different.
    func stopWriting() {
        state.withLock {
            guard $0.isWritable else { return }
            if let writing = $0.descriptor {
                guard let reading = try? Syscall.reopenForReading(writing) else { return }
                $0.descriptor = reading
            }
            $0.isWritable = false
        }
    }

    /// The file it has open was sealed: nobody may write to it any more.
    ///
    /// - Parameter isParted: whether the kernel knows it by other names as well, which are those of other files now.
    func becomeBlob(isParted: Bool = false) {
        state.withLock {
            $0.isBlob = true
            if isParted { $0.isParted = true }
            $0.isWritable = false
        }
    }
}

/// One open of a staged file.
final class StagingHandle: FileHandle, @unchecked Sendable {
    // Sendable because it is constant, but for this.
    /// How many losses of the file its program was told of, or were before its time.
    private let toldLossCount: Atomic<Int>
    private let staged: StagedFile
    private let tree: StagingTree
    private let stagingNode: StagingNode
    /// The backing inode it counts as a writer of.
    let writes: UInt64?
    /// The same as a reader.
    let reads: UInt64?
    private let appends: Bool

    init(_ node: StagingNode, _ staged: StagedFile, writes: UInt64?, reads: UInt64?, appends: Bool) {
        self.staged = staged
        toldLossCount = Atomic(staged.losses.count)
        self.writes = writes
        self.reads = reads
        self.appends = appends
        tree = node.tree
        stagingNode = node
        // All changes pass through this mount, so the pages the kernel has are right.
        super.init(node, keepsCache: true)
    }

    override func read(
        into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(VFSError) -> Int {
        let descriptor = try descriptor()
        // The kernel keeps what it reads of a sealed file as this node's, so the object's own pages would be a second copy.
        return try called { () throws(Errno) in
            try Syscall.read(descriptor.fd, into: buffer, at: Int(offset), keepsPages: !staged.isBlob)
        }
    }

    override func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, by caller: Caller
    ) throws(VFSError) -> Int {
        try tree.workspace.gate.pass { () throws(VFSError) in
            let descriptor = try descriptor()
            if !stagingNode.flags.isEmpty { try requireWritable(descriptor, at: offset) }
            try tree.clearSetIDs(descriptor, by: caller)
            return try called { () throws(Errno) in
                try Syscall.write(descriptor.fd, bytes, at: Int(offset))
            }
        }
    }

    /// - Throws: ``VFSError`` EPERM for a file that has become immutable, and what would not be added to one that is only
    ///   added to, by who has said to do no more: through a mapping, or after taking O_APPEND back.
    private func requireWritable(_ descriptor: Descriptor, at offset: Int64) throws(VFSError) {
        let flags = stagingNode.flags
        if flags.contains(.immutable) { throw .notPermitted }
        guard appends, flags.contains(.appendOnly) else { return }
        let size = try called { () throws(Errno) in try Syscall.status(descriptor).size }
        if offset < Int64(clamping: size) { throw .notPermitted }
    }

    override func sync(dataOnly: Bool) throws(VFSError) {
        // A blob is durable; the attributes of a file that only refers to one are not.
        let descriptor = staged.isBlob ? try tree.backingFile(stagingNode) : try descriptor()
        guard let descriptor else { return }
        try called { () throws(Errno) in
            do throws(Errno) {
                try tree.store.lostWrites.watching { () throws(Errno) in
                    try dataOnly ? Syscall.syncData(descriptor.fd) : Syscall.sync(descriptor.fd)
                }
            } catch {
                guard LostWrites.isLoss(error) else { throw error }
                staged.noteLoss(error)
            }
            let losses = staged.losses
            if toldLossCount.exchange(losses.count, ordering: .relaxed) != losses.count,
                let error = losses.last
            {
                throw error
            }
        }
    }

    override func release() { tree.close(self, stagingNode) }

    override func allocate(
        mode: Int32, offset: Int64, length: Int64, by caller: Caller
    ) throws(VFSError) {
        try tree.workspace.gate.pass { () throws(VFSError) in
            try stagingNode.requireAllocatable(mode)
            let descriptor = try descriptor()
            try tree.clearSetIDs(descriptor, by: caller)
            try called { () throws(Errno) in
                try Syscall.allocate(descriptor.fd, mode: mode, offset: Int(offset), length: Int(length))
            }
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
        if let kept = staged.descriptor { return kept }
        return try tree.lock.withLock { _ throws(VFSError) in
            let descriptor = try tree.descriptor(of: stagingNode, staged)
            staged.offer(descriptor)
            return descriptor
        }
    }

    override var backing: BackingFile? { staged.backing }
}
