public import Objects
internal import Store

/// Time for tests: it stands still but for one second with each look at it, so that all times are known and none
/// are equal.
public final class TestClock: Sendable {
    /// 2026-11-20T09:00:00Z.
    public static let start = Timestamp(seconds: 1_795_165_200, nanoseconds: 0)

    private let current: Lock<Timestamp>

    public init(_ start: Timestamp = TestClock.start) {
        current = Lock(start)
    }

    public func now() -> Timestamp {
        current.withLock {
            let now = $0
            $0 = Timestamp(nanoseconds: now.nanoseconds + 1_000_000_000)
            return now
        }
    }

    /// The next look sees this time.
    public func set(_ time: Timestamp) { current.withLock { $0 = time } }

    public func advance(seconds: Int64) {
        current.withLock { $0 = Timestamp(nanoseconds: $0.nanoseconds + seconds * 1_000_000_000) }
    }
}
