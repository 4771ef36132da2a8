internal import Objects
internal import Store

/// What an engine remembers of the commits it made: for `.firn/last-commit` and `.firn/metrics`.
final class CommitRecord: Sendable {
    struct Counts: Sendable {
        var committed = 0
        /// Refused because nothing had changed.
        var empty = 0
        var failed = 0
        var seconds = 0.0
        var pauseSeconds = 0.0
    }

    private struct State: Sendable {
        var counts = Counts()
        var last: JSONValue = ["outcome": "none"]
    }

    private let state = Lock(State())

    var counts: Counts { state.withLock { $0.counts } }
    var last: JSONValue { state.withLock { $0.last } }

    func keep(_ outcome: CommitOutcome, duration: Duration) {
        let seconds = duration / .seconds(1)
        let document: JSONValue = [
            "outcome": "committed", "time": .time(outcome.version.manifest.time),
            "seconds": .decimal((seconds * 1e6).rounded() / 1e6),
        ]
        state.withLock {
            $0.counts.committed += 1
            $0.counts.seconds += seconds
            $0.counts.pauseSeconds += outcome.pauseMilliseconds / 1000
            $0.last = document.appending(JSONValue(outcome))
        }
    }

    /// Of a commit by another daemon, of which nothing but the version is known.
    func keep(_ version: Version) {
        state.withLock {
            $0.last = [
                "outcome": "committed", "time": .time(version.manifest.time), "seconds": .null,
                "version": JSONValue(version), "changed_entries": .null, "still_staged": .null,
                "pause_ms": .null,
            ]
        }
    }

    func keep(_ error: StoreError, time: Timestamp) {
        state.withLock {
            if error.code == .nothingToCommit { $0.counts.empty += 1 } else { $0.counts.failed += 1 }
            $0.last = ["outcome": "failed", "time": .time(time), "error": JSONValue(error: error)]
        }
    }
}
