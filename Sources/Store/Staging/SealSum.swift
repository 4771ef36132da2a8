internal import Objects

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
