internal import Dispatch

/// Work that nobody has to wait for, done one piece after the other: on a thread of its own where others go on
/// meanwhile, as in a daemon, and at once elsewhere.
final class Afterwork: Sendable {
    private let queue: DispatchQueue?

    init(isLater: Bool) {
        queue = isLater ? DispatchQueue(label: "firn.afterwork", qos: .utility) : nil
    }

    func run(_ body: @escaping @Sendable () -> Void) {
        if let queue { queue.async(execute: body) } else { body() }
    }

    /// Returns when all that was given so far is done.
    func finish() { queue?.sync {} }
}
