public import Objects

/// What a retention policy looks at in a version.
public struct RetentionSubject: Hashable, Sendable {
    public var number: VersionNumber
    public var time: Timestamp
    public var tags: [String]
    public var isPinned: Bool

    public init(number: VersionNumber, time: Timestamp, tags: [String] = [], isPinned: Bool = false) {
        self.number = number
        self.time = time
        self.tags = tags
        self.isPinned = isPinned
    }

    public init(_ version: Version) {
        self.init(
            number: version.number, time: version.manifest.time, tags: version.tags,
            isPinned: version.isPinned)
    }
}

/// What a retention policy decides about each version, and why. Nothing has been done yet.
public struct RetentionPlan: Hashable, Sendable {
    public struct Decision: Hashable, Sendable {
        public let number: VersionNumber
        /// Why the version is kept, in the order latest, pinned, tags, period, counts; empty when it is to be
        /// forgotten. Such as `latest`, `pinned`, `tag nightly-3`, `within 7d`, `last version`,
        /// `daily 2026-11-20`, `oldest weekly 2026-W47`.
        public let reasons: [String]

        public var isKept: Bool { !reasons.isEmpty }
    }

    /// One for each version, the newest number first.
    public let decisions: [Decision]

    /// The newest first.
    public var kept: [VersionNumber] { decisions.filter(\.isKept).map(\.number) }
    /// The newest first.
    public var forgotten: [VersionNumber] { decisions.filter { !$0.isKept }.map(\.number) }
}
