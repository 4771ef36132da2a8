internal import CLinux
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Objects
internal import SystemPackage

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
        guard mustStart else { return }
        switch tryStartThread(stackByteCount: BackgroundHashing.stackByteCount, { [self] in run() }) {
        case .success(let thread): pthread_detach(thread)
        // What waits is hashed after the next close, or by the commit.
        case .failure: state.withLock { $0.isRunning = false }
        }
    }

    private static let stackByteCount = 1 << 20

    /// All that was closed so far has been sealed.
    public func sealed() {
        state.withLock { state in
            state.waiting = [:]
            state.queues = [Queue](repeating: Queue(), count: BackgroundHashing.doublingsMax + 1)
        }
    }

    /// Ends when nothing waits any more.
    private func run() {
        // Locks are taken on this thread only, for which others may wait.
        guard let hasher = YieldingHasher(workspace.hashingTurn) else {
            return state.withLock { $0.isRunning = false }
        }
        defer { hasher.end() }
        while true {
            let due = state.withLock { state -> [(UInt64, Waiting)]? in
                if state.waiting.isEmpty {
                    state.isRunning = false
                    return nil
                }
                return takeDue(&state)
            }
            guard let due else { return }
            for (backing, waiting) in due { hash(backing, waiting, by: hasher) }
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

    private func hash(_ backing: UInt64, _ waiting: Waiting, by hasher: YieldingHasher) {
        let isCurrent = state.withLock { state in
            guard state.waiting[backing]?.since == waiting.since else { return false }
            state.waiting[backing] = nil
            return true
        }
        // It was closed once more meanwhile, or is open now and will be. A commit hashes what is left itself.
        guard isCurrent, workspace.hashingTurn.take() else { return }
        defer { workspace.hashingTurn.giveBack() }
        workspace.digests.remove([backing])
        guard workspace.tracker.takeMark(of: backing) else { return }
        // What cannot be hashed now is for the commit to hash, or to complain of.
        guard let place = waiting.place(), let found = try? workspace.overlay.probe(place, asItIs: true),
            found.isFile, found.file.inode == backing, found.reference == nil,
            (try? Prehash.hash(
                place, workspace, digestOf: { file throws(StoreError) in try hasher.hash(file) }))
                != nil
        else { return }
        if workspace.tracker.wasTouched(backing) { workspace.digests.remove([backing]) }
        state.withLock { state in
            if state.doublings.count >= BackgroundHashing.delayCountMax { state.doublings.removeAll() }
            if state.doublings[backing] == nil { state.doublings[backing] = 0 }
        }
    }
}

/// Who reads staged files of Firn's own accord: the background, until a commit wants to. To a commit a file that is being
/// hashed looks as one that a program reads.
final class HashingTurn: Sendable {
    private struct State {
        var isTaken = false
        var commitCount = 0
    }

    private let state = Lock(State())

    /// - Returns: false while a commit has it.
    func take() -> Bool {
        state.withLock {
            $0.isTaken = $0.commitCount == 0
            return $0.isTaken
        }
    }

    func giveBack() { state.withLock { $0.isTaken = false } }

    /// - Throws: ``StoreError`` `.busy` once a commit waits.
    func requireKept() throws(StoreError) {
        if state.withLock({ $0.commitCount > 0 }) {
            throw StoreError(.busy, "a commit hashes the file itself", subject: "hashing")
        }
    }

    /// Runs `body` while nothing is hashed in the background.
    func during<Result>(_ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        state.withLock { $0.commitCount += 1 }
        defer { state.withLock { $0.commitCount -= 1 } }
        // Until it has hashed a megabyte.
        while state.withLock({ $0.isTaken }) { usleep(200) }
        return try body()
    }
}

/// A thread that yields to all others, and hashes for one that waits for it.
private final class YieldingHasher: Sendable {
    private enum Work {
        case nothing
        case file(Int32)
        case result(Result<Digest, StoreError>)
    }

    private let turn: HashingTurn
    private let work = Lock(Work.nothing)
    private let given = DispatchSemaphore(value: 0)
    private let done = DispatchSemaphore(value: 0)

    /// - Returns: nil where the system allows no more threads.
    init?(_ turn: HashingTurn) {
        self.turn = turn
        guard case .success(let thread) = tryStartThread(stackByteCount: 1 << 20, { [self] in serve() })
        else {
            return nil
        }
        pthread_detach(thread)
    }

    private func serve() {
        firn_yield_to_others()
        while true {
            given.wait()
            guard case .file(let file) = work.withLock({ $0 }) else { return }
            let result: Result<Digest, StoreError>
            do throws(StoreError) {
                let digest = try BlobStore.hash(file) { _ throws(StoreError) in
                    try turn.requireKept()
                    try YieldingHasher.requireName(file)
                }.digest
                result = .success(digest)
            } catch { result = .failure(error) }
            work.withLock { $0 = .result(result) }
            done.signal()
        }
    }

    /// Who removes a file wants its room, and a thread that yields to all others may have it open for long.
    private static func requireName(_ file: Int32) throws(StoreError) {
        let status = try system("look at", "a file") { () throws(Errno) in try Syscall.stat(file) }
        if status.st_nlink == 0 { throw StoreError(.busy, "the file was removed", subject: "hashing") }
    }

    /// - Throws: ``StoreError`` `.busy` where a commit wants to hash it or it has been removed, or the system's error.
    func hash(_ file: Int32) throws(StoreError) -> Digest {
        work.withLock { $0 = .file(file) }
        given.signal()
        done.wait()
        guard case .result(let result) = work.withLock({ $0 }) else { preconditionFailure("it was done") }
        return try result.get()
    }

    func end() {
        work.withLock { $0 = .nothing }
        given.signal()
    }
}
