internal import Synchronization
package import SystemPackage

/// A step at which something durable hangs on the system or on the catalog: what is done, and which function does
/// it.
///
/// Every call of ``Syscall`` that changes a disk is one, and so are the three steps of every transaction of the
/// catalog: see ``Syscall/changing(_:_:_:)`` and `Catalog.write`.
public struct FaultPoint: Hashable, Sendable, CustomStringConvertible {
    public enum Verb: String, Hashable, Sendable, CaseIterable {
        /// Opening, which changes nothing but may be refused.
        case open
        case create, write, copy, share, allocate, truncate
        case makeDirectory, makeNode, makeSymlink, link, rename, exchange, unlink, removeDirectory
        case setAttribute, removeAttribute, changeMode, changeOwner, changeTimes
        case sync, syncData, syncFilesystem
        /// A transaction: before it begins, before its COMMIT, and when that is done.
        case begin, commit, committed
    }

    public let verb: Verb
    /// Swift's name for the function: `swapToNext(_:syncs:)`.
    public let function: String

    public init(_ verb: Verb, in function: String) {
        self.verb = verb
        self.function = function
    }

    public var description: String { "\(verb.rawValue) in \(function)" }
}

/// What tests have done at each ``FaultPoint``: fail as a disk would, or end the process.
///
/// It holds for what one thread does while ``during(_:)`` runs, and for the threads that help it. Outside of tests
/// there is none, and a point costs one look at a number that nobody writes.
public struct FaultHook: Sendable {
    private let failure: @Sendable (FaultPoint) -> Errno?

    @TaskLocal private static var current: FaultHook?
    private static let runningCount = Atomic<Int>(0)

    /// - Parameter failure: what the step is to fail with; nil for it to be done.
    package init(_ failure: @escaping @Sendable (FaultPoint) -> Errno?) {
        self.failure = failure
    }

    /// Runs `work` with this hook at every point that it reaches.
    package func during<Result>(_ work: () throws -> Result) rethrows -> Result {
        FaultHook.runningCount.wrappingAdd(1, ordering: .relaxed)
        defer { FaultHook.runningCount.wrappingSubtract(1, ordering: .relaxed) }
        return try FaultHook.$current.withValue(self, operation: work)
    }

    /// To be called right before the step that is named.
    static func reach(_ verb: FaultPoint.Verb, _ function: StaticString) throws(Errno) {
        guard runningCount.load(ordering: .relaxed) > 0, let hook = current else { return }
        if let error = hook.failure(FaultPoint(verb, in: "\(function)")) { throw error }
    }

    /// What another thread must run its part of the work in, for the hook to hold there as well.
    static var carrier: Carrier { Carrier(hook: runningCount.load(ordering: .relaxed) > 0 ? current : nil) }

    struct Carrier: Sendable {
        fileprivate let hook: FaultHook?

        func run(_ work: () -> Void) {
            guard let hook else { return work() }
            FaultHook.$current.withValue(hook, operation: work)
        }
    }
}
