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

    private struct State {
        /// nil from a change until somebody asks.
        var current: Snapshot?
        var changeCount = 0
        /// What lookups may have been answered by since ``takeShown()``.
        var shown: [Snapshot] = []
    }

    private let store: Store
    private let state = Lock(State())

    init(_ store: Store) {
        self.store = store
    }

    func snapshot() throws(VFSError) -> Snapshot {
        while true {
            let (current, changeCount) = state.withLock { ($0.current, $0.changeCount) }
            if let current { return current }
            let fresh = try read()
            let isCurrent = state.withLock { state in
                guard state.changeCount == changeCount else { return false }
                state.current = fresh
                state.shown.append(fresh)
                return true
            }
            if isCurrent { return fresh }
        }
    }

    private func read() throws(VFSError) -> Snapshot {
        try stored { () throws(StoreError) in
            let versions = try store.versions()
            return Snapshot(
                versions: versions,
                byNumber: Dictionary(uniqueKeysWithValues: versions.map { ($0.number, $0) }),
                tags: try store.tags())
        }
    }

    /// To be called after every change of versions or tags.
    func invalidate() {
        state.withLock {
            $0.current = nil
            $0.changeCount += 1
        }
    }

    /// What was shown until now, to be compared with `now`, which is the only one shown from here on.
    func takeShown(but now: Snapshot) -> [Snapshot] {
        state.withLock { state in
            defer { state.shown = [now] }
            return state.shown
        }
    }
}
