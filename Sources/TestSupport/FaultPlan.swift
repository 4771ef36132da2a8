public import Store
public import SystemPackage

/// What a store's ``FaultHook`` does: fail as a disk would at a given point, or run something there.
public final class FaultPlan: Sendable {
    private struct State {
        var faults: [FaultHook.Point: (after: Int, errno: Errno)] = [:]
        var actions: [FaultHook.Point: @Sendable () -> Void] = [:]
        var reached: [FaultHook.Point] = []
    }

    private let state = Lock(State())

    public init() {}

    /// Fails when `point` is reached, every time, but for the first `after` times.
    public func fail(at point: FaultHook.Point, with errno: Errno, after: Int = 0) {
        state.withLock { $0.faults[point] = (after, errno) }
    }

    /// Runs `action` the next time that `point` is reached, and goes on.
    public func once(at point: FaultHook.Point, _ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions[point] = action }
    }

    /// No more faults.
    public func clear() {
        state.withLock { $0 = State() }
    }

    /// The points that were reached since the last ``clear()``, in order.
    public var reached: [FaultHook.Point] { state.withLock { $0.reached } }

    public var hook: FaultHook {
        FaultHook { point throws(Errno) in
            let action = self.state.withLock { state -> (@Sendable () -> Void)? in
                state.reached.append(point)
                return state.actions.removeValue(forKey: point)
            }
            action?()
            let errno = self.state.withLock { state -> Errno? in
                guard let fault = state.faults[point] else { return nil }
                if fault.after == 0 { return fault.errno }
                state.faults[point] = (fault.after - 1, fault.errno)
                return nil
            }
            if let errno { throw errno }
        }
    }
}
