internal import Store
internal import Synchronization

/// Gives memory back to the system after the kernel has forgotten many nodes.
final class ForgottenMemory: Sendable {
    /// Nodes whose memory is worth the work: some ten megabytes.
    private static let countMin = 16_384

    private let count = Atomic<Int>(0)
    private let table: NodeTable

    init(of table: NodeTable) { self.table = table }

    /// The kernel has forgotten a node.
    func note() {
        let count = count.wrappingAdd(1, ordering: .relaxed).newValue
        guard count == ForgottenMemory.countMin else { return }
        UnusedMemory.releaseLater { [self] in
            self.count.store(0, ordering: .relaxed)
            table.shrink()
        }
    }
}
