internal import Objects
internal import Store

/// Versions and tags as `versions/` shows them, read from the catalog when they are first asked for after a
/// change.
final class VersionIndex: Sendable {
    /// What is shown of a version.
    struct Listed: Sendable {
        let number: VersionNumber
        let digest: Digest
        let time: Timestamp
        let root: TreeEntry

        init(_ version: Version) {
            (number, digest) = (version.number, version.digest)
            (time, root) = (version.manifest.time, version.manifest.root)
        }
    }

    struct Snapshot: Sendable {
        /// Oldest first, and so in order of number.
        let versions: [Listed]
        let tags: [String: VersionNumber]

        var latest: Listed? { versions.last }

        subscript(number: VersionNumber) -> Listed? {
            let index = versions.partitioningIndex { !($0.number < number) }
            return index < versions.count && versions[index].number == number ? versions[index] : nil
        }

        /// Whether all versions of this are the first ones of `other`.
        func isBeginning(of other: Snapshot) -> Bool {
            versions.count <= other.versions.count
                && versions.indices.allSatisfy { versions[$0].number == other.versions[$0].number }
        }

        /// The same with one version more, which has its tags for itself.
        func adding(_ version: Version) -> Snapshot {
            var tags = tags
            for tag in version.tags { tags[tag] = version.number }
            return Snapshot(versions: versions + [Listed(version)], tags: tags)
        }
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
            Snapshot(versions: try store.versions().map { Listed($0) }, tags: try store.tags())
        }
    }

    /// To be called after every change of versions or tags.
    ///
    /// - Parameter added: the version that was added, where nothing but it and its tags has changed: all others need
    ///   not be read again then.
    func invalidate(added: Version? = nil) {
        state.withLock { state in
            // Of two that were added at the same time the later one may come first, and the parent may be gone.
            if let added, let current = state.current, added.manifest.parent == current.latest?.digest {
                let next = current.adding(added)
                state.current = next
                state.shown.append(next)
            } else {
                state.current = nil
            }
            state.changeCount += 1
        }
    }

    /// What is to be shown from here on, and what was shown until now, to be compared with it.
    func takeShown() throws(VFSError) -> (before: [Snapshot], now: Snapshot) {
        while true {
            _ = try snapshot()
            let taken = state.withLock { state -> (before: [Snapshot], now: Snapshot)? in
                // Changed again meanwhile.
                guard let now = state.current else { return nil }
                defer { state.shown = [now] }
                return (state.shown, now)
            }
            if let taken { return taken }
        }
    }
}
