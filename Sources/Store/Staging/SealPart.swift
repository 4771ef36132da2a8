internal import Objects

/// What a directory of `upper/` holds, but for directories, and what its entry is.
struct SealPart {
    let place: Place
    let status: DigestCache.Key
    let directory: InodeNumbering.Directory
    /// What is to be looked at in any case.
    var directories: [FileName] = []
    var changes: [FileName: TreeChange] = [:]
    var noted: [FileName: UInt64?] = [:]
    /// Files whose bytes are to become objects.
    var files: [(name: FileName, digest: Digest, file: SealWalk.StagedFile)] = []
    var referenced: [Digest: UInt64] = [:]
    /// The backing inodes of all files.
    var inodes: [UInt64] = []
    var count = 0
    /// nil where something at any depth was left out.
    var entry: TreeEntry?

    /// The directory's own backing inode.
    var inode: UInt64 { status.inode }
}

/// What the parts of a walk come to.
struct SealTotals {
    /// Every blob referred to, with its size.
    private(set) var referenced: [Digest: UInt64] = [:]
    /// Files that are still to become objects.
    private(set) var files: [Digest: SealWalk.StagedFile] = [:]
    private(set) var partCount = 0

    /// - Parameter blobCount: how many blobs may be referred to.
    init(blobCount: Int = 0) {
        referenced.reserveCapacity(blobCount)
    }

    /// - Parameter isDone: whether nothing is to be done any more for a file of that digest.
    mutating func add(_ part: SealPart, isDone: (Digest) -> Bool = { _ in false }) {
        referenced.merge(part.referenced) { first, _ in first }
        for (_, digest, file) in part.files where !isDone(digest) { files[digest] = file }
        partCount += 1
    }
}

/// What the parts that are sealed come to: what the walk ahead had added up, if all of that is taken over, and the rest.
struct SealSum {
    /// Of the walk ahead; empty where some of it does not hold any more.
    private(set) var prepared: SealTotals
    /// Of all other parts.
    private(set) var fresh = SealTotals()
    private(set) var isAsPrepared: Bool
    private var parts: [(part: SealPart, isTakenOver: Bool)] = []

    /// - Parameter prepared: nil where some of it does not hold any more.
    init(prepared: SealTotals?) {
        self.prepared = prepared ?? SealTotals()
        isAsPrepared = prepared != nil
    }

    mutating func add(_ part: SealPart, isTakenOver: Bool) { parts.append((part, isTakenOver)) }

    mutating func finish() {
        if parts.count(where: \.isTakenOver) != prepared.partCount { isAsPrepared = false }
        if isAsPrepared {
            parts.removeAll { $0.isTakenOver }
        } else {
            prepared = SealTotals()
        }
        fresh = SealTotals(blobCount: parts.reduce(0) { $0 + $1.part.referenced.count })
        for (part, _) in parts { fresh.add(part) }
        parts = []
    }

    /// Files whose bytes are to become objects, each backing file once.
    var files: [Digest: SealWalk.StagedFile] { prepared.files.merging(fresh.files) { first, _ in first } }

    /// The size of a blob that is referred to; nil where none is.
    func size(of digest: Digest) -> UInt64? { fresh.referenced[digest] ?? prepared.referenced[digest] }
}

extension SealWalk {
    struct StagedFile {
        let place: Place
        let size: UInt64
        let inode: UInt64
    }

    /// A directory on the way to where the walk is.
    struct Level {
        let found: UpperEntry
        /// By the way there, which costs no descriptor.
        let place: Place
        /// For looking at what it holds.
        let here: Place
        let path: TreePath
        let directory: InodeNumbering.Directory
        let keptBefore: Int
        /// What is still to be looked at.
        var names: [FileName]
        var part: SealPart
        /// Whether nothing that the directory itself holds was left out, and nothing at any depth.
        var isPlain = true
        var isWhole = true
        /// Whether the part is one of a walk ahead.
        var isTakenOver = false
        /// Whether ``SealPart/entry`` was taken over and is still right.
        var isUnchanged = false

        mutating func leaveOut() {
            isPlain = false
            isWhole = false
        }

        /// A directory in it is done.
        mutating func take(_ entry: TreeEntry) {
            if part.changes.updateValue(.set(entry), forKey: entry.name) != .set(entry) {
                isUnchanged = false
            }
        }

        /// There is nothing of that name.
        mutating func drop(_ name: FileName) {
            if part.changes.removeValue(forKey: name) != nil { isUnchanged = false }
        }
    }

    struct ReadFile {
        let path: TreePath
        /// What its mark is to say when the version is stored: its bytes are those of a blob.
        let mark: UpperMark
    }

    /// What a file that is open for writing held at the seal.
    struct Capture {
        let digest: Digest
        let size: UInt64
        let isTorn: Bool
    }

    /// What lies at `place`, as far as it is to be read: see ``DigestCache``.
    func probe(_ place: Place) throws(StoreError) -> UpperEntry? {
        try workspace.overlay.probe(place, asItIs: isAhead) { workspace.digests.notes(of: $0) }
    }

    /// Reads the new trees, whose nodes are not in the catalog yet, beside the old ones.
    var trees: TreeStore {
        let (nodes, catalog) = (editor.newNodes, store.catalog)
        return TreeStore { digest throws(StoreError) in
            if let bytes = nodes[digest] { return bytes }
            return try catalog.nodeBytes(digest)
        }
    }
}
