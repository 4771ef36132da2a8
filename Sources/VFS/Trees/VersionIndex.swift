internal import Objects
internal import Store

/// Versions and tags as `versions/` shows them, read from the catalog when they are first asked for after a
/// change.
final class VersionIndex: Sendable {
    struct Snapshot: Sendable {
        /// Oldest first.
        let versions: [Version]
        let byNumber: [VersionNumber: Version]
        let tags: [String: VersionNumber]

        var latest: Version? { versions.last }
    }

    private let store: Store
    private let current = Lock(Snapshot?.none)

    init(_ store: Store) {
        self.store = store
    }

    func snapshot() throws(VFSError) -> Snapshot {
        if let snapshot = current.withLock({ $0 }) { return snapshot }
        let fresh = try stored { () throws(StoreError) in
            let versions = try store.versions()
            return Snapshot(
                versions: versions,
                byNumber: Dictionary(uniqueKeysWithValues: versions.map { ($0.number, $0) }),
                tags: try store.tags())
        }
        current.withLock { $0 = fresh }
        return fresh
    }

    /// To be called after every change of versions or tags.
    ///
    /// - Returns: what was shown before, if anything was.
    func invalidate() -> Snapshot? {
        current.withLock { current in
            defer { current = nil }
            return current
        }
    }
}
