internal import CLinux
internal import Foundation
internal import Objects

/// Hashes staged files before anybody asks for a commit, on a thread that yields to every other: when one comes, most
/// digests are known, and most bytes are on their way to the disk.
///
/// A file waits until it has been closed for a while. One that is opened for writing again after it was hashed waits
/// twice as long from then on, so that a log is not read over and over. A digest that is found is used as one that the
/// commit finds itself: only if the file is surely as it was, see ``DigestCache``.
public final class BackgroundHashing: Sendable {
    private struct Waiting {
        let since: ContinuousClock.Instant
        /// Where it lies by now.
        let place: @Sendable () -> Place?
    }

    /// Files that wait equally long, in the order in which they were closed. What was closed again meanwhile, or is
    /// not to be hashed any more, is passed over.
    private struct Queue {
        private var items: [(backing: UInt64, since: ContinuousClock.Instant)] = []
        private var first = 0

        mutating func append(_ backing: UInt64, _ since: ContinuousClock.Instant) {
            items.append((backing, since))
        }

        /// The next one that was closed at `latest` or before.
        mutating func next(
            until latest: ContinuousClock.Instant
        ) -> (backing: UInt64, since: ContinuousClock.Instant)? {
            guard first < items.count, items[first].since <= latest else { return nil }
            defer {
                first += 1
                if first > items.count / 2 {
                    items.removeFirst(first)
                    first = 0
                }
            }
            return items[first]
        }
    }

    private struct State {
        var waiting: [UInt64: Waiting] = [:]
        /// By how often their delay was doubled.
        var queues = [Queue](repeating: Queue(), count: BackgroundHashing.doublingsMax + 1)
        /// How often the delay of files that were hashed is doubled the next time.
        var doublings: [UInt64: Int] = [:]
        var isRunning = false
    }

    private let workspace: Workspace
    private let state = Lock(State())
    private let delay: Duration
    private static let doublingsMax = 8
    /// How many files' delays are kept in mind.
    private static let delayCountMax = 65_536
    /// How many files are taken out of the queues at once.
    private static let batchCount = 256

    /// - Parameter delay: how long a file must have been closed.
    public init(_ workspace: Workspace, delay: Duration = .seconds(1)) {
        self.workspace = workspace
        self.delay = delay
    }

    /// How many files wait to be hashed.
    public var pendingCount: Int { state.withLock { $0.waiting.count } }

    /// The last who could write to a file has closed it.
    ///
    /// - Parameters:
    ///   - backing: the backing file's own inode number.
    ///   - place: asked for on the thread that hashes; nil where the file has no name any more.
    public func closed(_ backing: UInt64, place: @escaping @Sendable () -> Place?) {
        let mustStart = state.withLock { state in
            let now = ContinuousClock.now
            state.waiting[backing] = Waiting(since: now, place: place)
            var doublings = 0
            if let last = state.doublings[backing] {
                doublings = min(last + 1, BackgroundHashing.doublingsMax)
                state.doublings[backing] = doublings
            }
            state.queues[doublings].append(backing, now)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { startDetachedThread { [self] in run() } }
    }

    /// All that was closed so far has been sealed.
    public func sealed() {
        state.withLock { state in
            state.waiting = [:]
            state.queues = [Queue](repeating: Queue(), count: BackgroundHashing.doublingsMax + 1)
        }
    }

    /// Ends when nothing waits any more.
    private func run() {
        firn_yield_to_others()
        while true {
            let due = state.withLock { state -> [(UInt64, Waiting)]? in
                if state.waiting.isEmpty {
                    state.isRunning = false
                    return nil
                }
                return takeDue(&state)
            }
            guard let due else { return }
            for (backing, waiting) in due { hash(backing, waiting) }
            // What waits is not due for a second at least, and nobody waits for this.
            if due.isEmpty { Thread.sleep(forTimeInterval: 0.2) }
        }
    }

    private func takeDue(_ state: inout State) -> [(UInt64, Waiting)] {
        var due: [(UInt64, Waiting)] = []
        let now = ContinuousClock.now
        for doublings in state.queues.indices {
            let latest = now - delay * (1 << doublings)
            while due.count < BackgroundHashing.batchCount,
                let next = state.queues[doublings].next(until: latest)
            {
                guard let waiting = state.waiting[next.backing], waiting.since == next.since else { continue }
                due.append((next.backing, waiting))
            }
        }
        return due
    }

    private func hash(_ backing: UInt64, _ waiting: Waiting) {
        let isCurrent = state.withLock { state in
            guard state.waiting[backing]?.since == waiting.since else { return false }
            state.waiting[backing] = nil
            return true
        }
        // It was closed once more meanwhile, or is open now and will be.
        guard isCurrent, workspace.tracker.takeMark(of: backing) else { return }
        workspace.digests.remove([backing])
        // What cannot be hashed now is for the commit to hash, or to complain of.
        guard let place = waiting.place(), let found = try? workspace.overlay.probe(place), found.isFile,
            found.file.inode == backing, found.reference == nil,
            (try? Prehash.hash(place, found.status, workspace)) != nil
        else { return }
        if workspace.tracker.wasTouched(backing) { workspace.digests.remove([backing]) }
        state.withLock { state in
            if state.doublings.count >= BackgroundHashing.delayCountMax { state.doublings.removeAll() }
            if state.doublings[backing] == nil { state.doublings[backing] = 0 }
        }
    }
}
