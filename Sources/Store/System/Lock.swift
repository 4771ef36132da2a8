internal import Glibc
internal import Synchronization

/// A value behind a POSIX mutex.
///
/// `Synchronization.Mutex` would do the same, but ThreadSanitizer reports its correct use on Linux as a race,
/// and under contention it is the slower of the two.
public final class Lock<State>: @unchecked Sendable {
    // Sendable because `state` is touched only between lock and unlock of `mutex`.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private var state: State

    public init(_ state: consuming State) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        guard pthread_mutex_init(mutex, nil) == 0 else { preconditionFailure("pthread_mutex_init failed") }
        self.state = state
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    /// Runs `body` alone among all that use this lock. It must not take the same lock again.
    public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }
}

/// A gate that many may pass at once and one may close: a POSIX read-write lock that prefers the closer, so
/// that a stream of passers cannot keep it waiting.
public final class Gate: @unchecked Sendable {
    // Sendable because POSIX read-write locks are made to be shared.
    private let lock: UnsafeMutablePointer<pthread_rwlock_t>
    private let closers = Atomic<Int>(0)

    /// Whether passing would wait now: a hint, which may be out of date when it returns.
    public var isClosed: Bool { closers.load(ordering: .relaxed) > 0 }

    public init() {
        lock = .allocate(capacity: 1)
        lock.initialize(to: pthread_rwlock_t())
        var attributes = pthread_rwlockattr_t()
        pthread_rwlockattr_init(&attributes)
        pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
        guard pthread_rwlock_init(lock, &attributes) == 0 else {
            preconditionFailure("pthread_rwlock_init failed")
        }
        pthread_rwlockattr_destroy(&attributes)
    }

    deinit {
        pthread_rwlock_destroy(lock)
        lock.deallocate()
    }

    /// Runs `body` with the gate open; waits while it is closed. Not to be nested on one thread: a closer that
    /// waits between the two would wait for ever.
    public func pass<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        pthread_rwlock_rdlock(lock)
        defer { pthread_rwlock_unlock(lock) }
        return try body()
    }

    /// Runs `body` when all who passed have left, and keeps others waiting until it returns.
    public func close<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result
    {
        closers.wrappingAdd(1, ordering: .relaxed)
        pthread_rwlock_wrlock(lock)
        defer {
            pthread_rwlock_unlock(lock)
            closers.wrappingSubtract(1, ordering: .relaxed)
        }
        return try body()
    }
}
