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
        var since: ContinuousClock.Instant
        /// Where it lies by now.
        let place: @Sendable () -> Place?
    }

    private struct State {
        var waiting: [UInt64: Waiting] = [:]
        /// How long files that were hashed are to wait the next time.
        var delays: [UInt64: Duration] = [:]
        var isRunning = false
    }

    private let workspace: Workspace
    private let state = Lock(State())
    private let delay: Duration
    private static let delayMax = Duration.seconds(256)
    /// How many files' delays are kept in mind.
    private static let delayCountMax = 65_536

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
            state.waiting[backing] = Waiting(since: .now, place: place)
            if let last = state.delays[backing] {
                state.delays[backing] = min(last * 2, BackgroundHashing.delayMax)
            }
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if mustStart { startDetachedThread { [self] in run() } }
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
                let now = ContinuousClock.now
                return Array(state.waiting.filter { $0.value.since + (state.delays[$0.key] ?? delay) <= now })
            }
            guard let due else { return }
            for (backing, waiting) in due { hash(backing, waiting) }
            // What waits is not due for a second at least, and nobody waits for this.
            if due.isEmpty { Thread.sleep(forTimeInterval: 0.2) }
        }
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
            if state.delays.count >= BackgroundHashing.delayCountMax { state.delays.removeAll() }
            if state.delays[backing] == nil { state.delays[backing] = delay }
        }
    }
}
