internal import Objects
internal import Store

/// Blobs that were opened for reading out of a version, kept for whoever opens them next: a data loader opens the same
/// small files again in every epoch. A blob whose handles are open lives as long as they do. The lock is a leaf.
final class OpenBlobs: Sendable {
    private struct State {
        var kept = RecentlyUsed<Digest, OpenBlob>()
        /// What all handles of a node have open, and how many they are: the kernel wants it to be one file.
        var shared: [NodeID: (blob: OpenBlob, handleCount: Int)] = [:]
    }

    private let state = Lock(State())
    private let blobs: BlobStore

    /// In one half. A registered file costs the kernel some 300 bytes and the daemon no descriptor.
    private static let registeredCountMax = 32_768
    /// The same where every blob keeps a descriptor of the daemon's.
    private static let descriptorCountMax = min(512, Syscall.descriptorLimit / 16)

    init(_ store: Store) {
        blobs = store.blobs
    }

    /// - Parameters:
    ///   - known: what the kernel has registered for it already.
    ///   - register: gives a blob that was not found here to the kernel, if that takes it.
    /// - Throws: ``StoreError`` `.damaged` as ``BlobStore/open(_:size:)``, also for one that is kept.
    func open(
        _ digest: Digest, size: UInt64, as known: KnownBacking?, register: (Descriptor) -> BackingFile?
    ) throws(StoreError) -> OpenBlob {
        if known == nil, let kept = state.withLock({ $0.kept.find(digest) }),
            try blobs.isUnchanged(digest, size: size, inode: kept.inode)
        {
            return kept
        }
        let descriptor = try blobs.open(digest, size: size)
        let backing = known?.file ?? register(descriptor)
        let open = OpenBlob(
            digest, try blobs.inode(of: descriptor), backing == nil ? descriptor : nil, backing, blobs)
        keep(open)
        return open
    }

    /// What is open of a node already, for one more handle.
    func share(of node: NodeID) -> OpenBlob? {
        state.withLock {
            $0.shared[node]?.handleCount += 1
            return $0.shared[node]?.blob
        }
    }

    /// Opens a node's first handle, unless another thread was faster.
    ///
    /// - Returns: what the handle is to have open.
    func share(_ blob: OpenBlob, with node: NodeID) -> OpenBlob {
        state.withLock {
            let open = $0.shared[node]?.blob ?? blob
            $0.shared[node, default: (open, 0)].handleCount += 1
            return open
        }
    }

    func endShare(of node: NodeID) {
        // What goes may close a file, which must not be done with the lock held.
        let last = state.withLock { state -> OpenBlob? in
            guard let (blob, count) = state.shared[node] else {
                preconditionFailure("closed more often than opened")
            }
            state.shared[node] = count == 1 ? nil : (blob, count - 1)
            return blob
        }
        withExtendedLifetime(last) {}
    }

    private func keep(_ blob: OpenBlob) {
        let countMax = blob.backing == nil ? OpenBlobs.descriptorCountMax : OpenBlobs.registeredCountMax
        let gone = state.withLock { $0.kept.keep(blob, for: blob.digest, halfCount: countMax) }
        withExtendedLifetime(gone) {}
    }

    /// Lets go of all that no handle has open, so that a file that is removed frees its space.
    func removeAll() {
        let gone = state.withLock { $0.kept.removeAll() }
        withExtendedLifetime(gone) {}
    }
}

/// A blob that is open, for all handles of all nodes that have its bytes.
final class OpenBlob: Sendable {
    let digest: Digest
    /// Of its file.
    let inode: UInt64
    let backing: BackingFile?
    /// nil where only the kernel has it open.
    private let kept: Descriptor?
    private let blobs: BlobStore

    init(
        _ digest: Digest, _ inode: UInt64, _ descriptor: Descriptor?, _ backing: BackingFile?,
        _ blobs: BlobStore
    ) {
        self.digest = digest
        self.inode = inode
        self.backing = backing
        self.blobs = blobs
        kept = descriptor
    }

    func descriptor() throws(StoreError) -> Descriptor {
        if let kept { return kept }
        return try blobs.open(digest)
    }
}
