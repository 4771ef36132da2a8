public import Objects

/// One stored thing that is not what it should be, and whom that hurts.
public struct VerifyProblem: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// An object's file is not there.
        case missing
        /// An object's bytes are not those its name says, or cannot be read.
        case damaged
        /// An object has another size than its entries say.
        case wrongSize = "wrong_size"
        /// A tree node is missing, malformed, or says something else of what is below it.
        case node
        /// A version's manifest is not what its digest says.
        case manifest
        /// A version names a parent that came after it.
        case chain
        /// The catalog's file itself.
        case catalog
    }

    /// Where the thing is used.
    public struct Use: Hashable, Sendable {
        public let version: VersionNumber
        public let path: TreePath
    }

    public let kind: Kind
    /// Of the object, node or version; nil for the catalog as a whole.
    public let digest: Digest?
    /// What is wrong, in words.
    public let message: String
    /// The first of them, in order of version and path; ``useCount`` says how many there are.
    public internal(set) var uses: [Use] = []
    public internal(set) var useCount = 0

    /// So many uses are listed.
    public static let useCountMax = 1000

    init(_ kind: Kind, _ digest: Digest?, _ message: String) {
        self.kind = kind
        self.digest = digest
        self.message = message
    }

    mutating func add(_ version: VersionNumber, _ path: TreePath) {
        useCount += 1
        if uses.count < VerifyProblem.useCountMax { uses.append(Use(version: version, path: path)) }
    }
}

/// What a verification found.
public struct VerifyReport: Hashable, Sendable {
    public internal(set) var problems: [VerifyProblem] = []
    /// How many of each were looked at.
    public internal(set) var versions = 0
    public internal(set) var nodes = 0
    public internal(set) var blobs = 0
    /// Sum of the sizes of those objects.
    public internal(set) var bytes: UInt64 = 0

    public var isClean: Bool { problems.isEmpty }
}
