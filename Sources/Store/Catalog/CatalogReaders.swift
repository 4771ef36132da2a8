internal import Dispatch
internal import GRDB

/// Connections that read the catalog, opened as they are needed.
///
/// In place of those of GRDB's `DatabasePool`, which takes 15 to 30 microseconds to choose one of them, as long as most
/// of the questions take.
final class CatalogReaders: Sendable {
    private struct State {
        var idle: [DatabaseQueue] = []
        var isClosed = false
    }

    private let connect: @Sendable () throws -> DatabaseQueue
    private let state = Lock(State())
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
        let (idle, isClosed) = state.withLock { ($0.idle.popLast(), $0.isClosed) }
        if isClosed { throw DatabaseError(resultCode: .SQLITE_MISUSE, message: "the catalog is closed") }
        let reader = try idle ?? connect()
        defer { state.withLock { $0.idle.append(reader) } }
        return try body(reader)
    }

    /// Closes all, when nobody uses them any more.
    func close() throws {
        for _ in 0..<CatalogReaders.countMax { free.wait() }
        defer { for _ in 0..<CatalogReaders.countMax { free.signal() } }
        state.withLock { $0.isClosed = true }
        while let reader = state.withLock({ $0.idle.popLast() }) { try reader.close() }
    }
}
