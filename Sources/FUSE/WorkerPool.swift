internal import CFuse
internal import Glibc
internal import Store

/// Threads for requests that take long: a copy-up, a sync, a commit. What receives requests is thereby free for
/// those that do not.
final class WorkerPool: @unchecked Sendable {
    // Sendable because `queue` and `isStopped` are touched with `mutex` held only.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [@Sendable () -> Void] = []
    private var isStopped = false
    private var threads: [pthread_t] = []

    init(threadCount: Int) {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        pthread_cond_init(condition, nil)
        threads = (0..<threadCount).map { _ in startThread { [unowned self] in work() } }
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func run(_ work: @escaping @Sendable () -> Void) {
        pthread_mutex_lock(mutex)
        queue.append(work)
        pthread_cond_signal(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Returns when all work that was given is done and the threads have ended.
    func stop() {
        pthread_mutex_lock(mutex)
        isStopped = true
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
        for thread in threads { pthread_join(thread, nil) }
        threads = []
    }

    private func work() {
        while true {
            pthread_mutex_lock(mutex)
            while queue.isEmpty, !isStopped { pthread_cond_wait(condition, mutex) }
            let next = queue.isEmpty ? nil : queue.removeFirst()
            pthread_mutex_unlock(mutex)
            guard let next else { return }
            next()
        }
    }
}
