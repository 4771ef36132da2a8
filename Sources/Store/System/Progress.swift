/// Tells whoever waits how far long work has come. Called from the threads that do the work.
public struct Progress: Sendable {
    /// A phase begins: what it does, and how many units (bytes, unless `unit` says otherwise) it has.
    private let onBegin: @Sendable (String, UInt64) -> Void
    private let onAdvance: @Sendable (UInt64) -> Void

    public static let none = Progress(onBegin: { _, _ in }, onAdvance: { _ in })

    public init(
        onBegin: @escaping @Sendable (String, UInt64) -> Void, onAdvance: @escaping @Sendable (UInt64) -> Void
    ) {
        self.onBegin = onBegin
        self.onAdvance = onAdvance
    }

    public func begin(_ phase: String, total: UInt64) { onBegin(phase, total) }

    public func advance(_ units: UInt64) { onAdvance(units) }
}
