internal import Store
internal import Synchronization

/// Gives memory back to the system after the kernel has forgotten many nodes.
final class ForgottenMemory: Sendable {
    /// Nodes whose memory is worth the work: some ten megabytes.
    private static let countMin = 16_384

    private let count = Atomic<Int>(0)
    private let table: NodeTable
    private let trees: TreeStore

    init(of table: NodeTable, _ trees: TreeStore) {
        self.table = table
        self.trees = trees
    }

    /// The kernel has forgotten a node.
    func note() {
        let count = count.wrappingAdd(1, ordering: .relaxed).newValue
        guard count == ForgottenMemory.countMin else { return }
        UnusedMemory.releaseLater { [self] in
            self.count.store(0, ordering: .relaxed)
            table.shrink()
            // The kernel has no room, or what it knew is gone.
            trees.forgetDecoded()
        }
    }
}
