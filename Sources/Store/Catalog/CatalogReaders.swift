internal import Dispatch
internal import GRDB

/// Connections that read the catalog, opened as they are needed.
///
/// In place of those of GRDB's `DatabasePool`, which takes 15 to 30 microseconds to choose one of them, as long as most
/// of the questions take.
final class CatalogReaders: Sendable {
    private let connect: @Sendable () throws -> DatabaseQueue
    private let idle = Lock([DatabaseQueue]())
    private let free = DispatchSemaphore(value: CatalogReaders.countMax)

    private static let countMax = 4

    init(_ connect: @escaping @Sendable () throws -> DatabaseQueue) {
        self.connect = connect
    }

    /// Waits while all are in use. Not to be called by `body`, which might wait for its own.
    func use<Result>(_ body: (DatabaseQueue) throws -> Result) throws -> Result {
        free.wait()
        defer { free.signal() }
        // The last that was used has most of the catalog's pages at hand.
        let reader = try idle.withLock { $0.popLast() } ?? connect()
        defer { idle.withLock { $0.append(reader) } }
        return try body(reader)
    }

    func close() throws {
        while let reader = idle.withLock({ $0.popLast() }) { try reader.close() }
    }
}
