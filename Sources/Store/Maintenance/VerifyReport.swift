public import Objects

/// One stored thing that is not what it should be, and whom that hurts.
public struct VerifyProblem: Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A blob's file is not there.
        case missing
        /// A blob's bytes are not those its name says, or cannot be read.
        case damaged
        case wrongSize
        /// A tree node is missing, malformed, or says something else of what is below it.
        case node
        /// A version's manifest is not what its digest says.
        case manifest
        /// A version names a parent that came after it.
        case chain
        /// The catalog's file itself.
        case catalog
    }

    public let kind: Kind
    /// Of the blob, node or version; nil for the catalog.
    public let digest: Digest?
    /// What is wrong, in words.
    public let message: String
    /// Where it shows, in order of version and path: the first few.
    public internal(set) var affected: [(version: VersionNumber, path: TreePath)] = []
    /// How many paths of how many versions there are in all; more than ``affected`` lists.
    public internal(set) var affectedCount = 0

    /// So many are listed.
    public static let affectedCountMax = 100

    mutating func add(_ version: VersionNumber, _ path: TreePath) {
        affectedCount += 1
        if affected.count < VerifyProblem.affectedCountMax { affected.append((version, path)) }
    }
}

/// What a verification found.
public struct VerifyReport: Sendable {
    /// Empty when all is well.
    public internal(set) var problems: [VerifyProblem] = []
    /// How many of each were looked at.
    public internal(set) var versions = 0
    public internal(set) var nodes = 0
    public internal(set) var blobs = 0
    /// Sum of the sizes of those blobs.
    public internal(set) var bytes: UInt64 = 0

    public var isSound: Bool { problems.isEmpty }
}
