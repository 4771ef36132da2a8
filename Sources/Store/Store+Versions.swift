public import Objects

// What is sealed, and the names and notes that people give it. Every change is one durable transaction.
extension Store {
    // MARK: Reading

    /// All versions, oldest first.
    public func versions() throws(StoreError) -> [Version] { try catalog.versions() }

    /// The version with the greatest number; nil before the first commit.
    public func latest() throws(StoreError) -> Version? { try catalog.latestVersion() }

    /// nil where there is no such version, or no longer.
    public func version(_ number: VersionNumber) throws(StoreError) -> Version? {
        try catalog.version(number)
    }

    /// nil where there is no such version, or no longer.
    public func version(_ digest: Digest) throws(StoreError) -> Version? { try catalog.version(digest) }

    /// The versions that sealed this or a later generation of a workspace, oldest first.
    public func versions(
        of workspace: Workspace, since generation: UInt64
    ) throws(StoreError) -> [Version] {
        var found: [Version] = []
        for generation in generation..<max(generation, workspace.generation) {
            if let version = try catalog.version(workspace: workspace.name, generation: generation) {
                found.append(version)
            }
        }
        return found
    }

    /// Every tag and the version it stands on.
    public func tags() throws(StoreError) -> [String: VersionNumber] { try catalog.tags() }

    /// The notes on a version, in the order they were made; none where there is no such version.
    public func annotations(of number: VersionNumber) throws(StoreError) -> [Annotation] {
        try catalog.annotations(number)
    }

    // MARK: Changing

    /// Puts a tag on a version.
    ///
    /// - Parameter moves: whether a tag that stands on another version is taken from there.
    /// - Throws: ``StoreError`` `.tagExists` unless `moves`, `.unknownVersion`.
    public func setTag(_ name: TagName, to number: VersionNumber, moves: Bool) throws(StoreError) {
        try catalog.setTag(name, number, at: now(), moves: moves)
    }

    /// - Throws: ``StoreError`` `.unknownTag`, with similar tags in its hint.
    public func removeTag(_ name: String) throws(StoreError) {
        guard try !catalog.removeTag(name) else { return }
        let near = NearMatches.of(name, among: try catalog.tags().keys)
        throw StoreError(
            .unknownTag, "there is no such tag", subject: name,
            hint: Store.suggestion(near) ?? "firn tag lists the tags there are")
    }

    /// A pinned version is kept by every retention policy.
    ///
    /// - Throws: ``StoreError`` `.unknownVersion`.
    public func setPinned(_ number: VersionNumber, _ isPinned: Bool) throws(StoreError) {
        try catalog.setPinned(number, isPinned)
    }

    /// Adds notes to a version: all of them or none. Its digest does not change.
    ///
    /// - Throws: ``StoreError`` `.unknownVersion`, `.invalidInput` for a key or value that breaks the rules of
    ///   ``Metadata``.
    public func annotate(
        _ number: VersionNumber, _ pairs: [(key: String, value: String)], author: String
    ) throws(StoreError) {
        let time = now()
        var annotations: [Annotation] = []
        for (key, value) in pairs {
            do throws(ObjectError) { try Metadata.validate(key, value, what: "annotation") } catch {
                throw StoreError(error)
            }
            annotations.append(Annotation(key: key, value: value, author: author, time: time))
        }
        try catalog.annotate(number, annotations)
    }

    /// "did you mean a or b?", nil where there is nothing to suggest.
    static func suggestion(_ names: [String]) -> String? {
        guard let last = names.last else { return nil }
        let others = names.dropLast().joined(separator: ", ")
        return "did you mean \(others.isEmpty ? last : "\(others) or \(last)")?"
    }
}

// MARK: - Totals

/// What a store holds, in numbers.
public struct StoreTotals: Hashable, Sendable {
    public let versions: Int
    public let tags: Int
    /// Distinct blobs of all versions.
    public let blobs: Int
    /// Sum of their sizes: what the versions take on disk together, but for the filesystem's own overhead.
    public let blobBytes: UInt64
    /// Sum over all versions of the sizes of their files: what they would take as plain copies.
    public let logicalBytes: UInt64
}

extension Store {
    public func totals() throws(StoreError) -> StoreTotals {
        let versions = try catalog.versions()
        let (blobs, blobBytes) = try catalog.blobTotals()
        return StoreTotals(
            versions: versions.count, tags: versions.reduce(0) { $0 + $1.tags.count }, blobs: blobs,
            blobBytes: blobBytes, logicalBytes: versions.reduce(0) { $0 &+ $1.bytes })
    }
}
