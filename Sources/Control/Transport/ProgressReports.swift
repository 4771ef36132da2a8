internal import Store

/// Turns what the store says of its progress into replies, ten a second at most.
final class ProgressReports: Sendable {
    private let state = Lock(State())
    private let send: @Sendable (ControlReply) -> Void

    private struct State: Sendable {
        var phase = ""
        var done: UInt64 = 0
        var total: UInt64 = 0
        var lastSent = ContinuousClock.now - ProgressReports.interval
    }

    private static let interval = Duration.milliseconds(100)

    init(_ send: @escaping @Sendable (ControlReply) -> Void) {
        self.send = send
    }

    /// Threads that work at the same time share it. A phase's beginning is always reported.
    var progress: Progress {
        Progress(
            onBegin: { phase, total in
                self.report { state in
                    state = State(phase: phase, total: total)
                    return true
                }
            },
            onAdvance: { units in
                self.report { state in
                    state.done &+= units
                    return ContinuousClock.now - state.lastSent >= ProgressReports.interval
                }
            })
    }

    /// Sent with the lock held, so that reports arrive in order.
    private func report(_ change: @Sendable (inout State) -> Bool) {
        state.withLock { state in
            guard change(&state) else { return }
            state.lastSent = .now
            send(.progress(phase: state.phase, done: state.done, total: state.total))
        }
    }
}
