internal import Glibc
public import Store
public import SystemPackage

/// What is to happen at points of an operation: fail as a disk would, run something, or end the process there.
public final class FaultPlan: Sendable {
    private enum Fault {
        case failure(Errno)
        case kill
    }

    private struct Planned {
        var fault: Fault
        /// How often the point is passed first.
        var after: Int
        var isOnce: Bool
    }

    private struct State {
        var faults: [FaultPoint: Planned] = [:]
        var actions: [FaultPoint: @Sendable () -> Void] = [:]
        var reached: [FaultPoint] = []
    }

    private let state = Lock(State())

    public init() {}

    /// Fails when `point` is reached, every time, but for the first `after` times.
    public func fail(at point: FaultPoint, with errno: Errno, after: Int = 0) {
        state.withLock { $0.faults[point] = Planned(fault: .failure(errno), after: after, isOnce: false) }
    }

    /// Fails once, the `after + 1`th time that `point` is reached.
    public func failOnce(at point: FaultPoint, with errno: Errno, after: Int = 0) {
        state.withLock { $0.faults[point] = Planned(fault: .failure(errno), after: after, isOnce: true) }
    }

    /// Ends the process by SIGKILL the `after + 1`th time that `point` is reached.
    public func kill(at point: FaultPoint, after: Int) {
        state.withLock { $0.faults[point] = Planned(fault: .kill, after: after, isOnce: true) }
    }

    /// Runs `action` the next time that `point` is reached, and goes on.
    public func once(at point: FaultPoint, _ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions[point] = action }
    }

    /// No more faults.
    public func clear() {
        state.withLock { $0 = State() }
    }

    /// The points that were reached since the last ``clear()``, in order.
    public var reached: [FaultPoint] { state.withLock { $0.reached } }

    /// Runs `work` with all of it.
    public func during<Result>(_ work: () throws -> Result) rethrows -> Result {
        try FaultHook { self.reach($0) }.during(work)
    }

    private func reach(_ point: FaultPoint) -> Errno? {
        let action = state.withLock { state -> (@Sendable () -> Void)? in
            state.reached.append(point)
            return state.actions.removeValue(forKey: point)
        }
        action?()
        let fault = state.withLock { state -> Fault? in
            guard var planned = state.faults[point] else { return nil }
            if planned.after == 0 {
                if planned.isOnce { state.faults[point] = nil }
                return planned.fault
            }
            planned.after -= 1
            state.faults[point] = planned
            return nil
        }
        switch fault {
        case nil: return nil
        case .failure(let errno): return errno
        case .kill:
            _ = Glibc.kill(getpid(), SIGKILL)
            // The signal reaches another thread first, maybe; this one must not take the step.
            while true { pause() }
        }
    }
}
