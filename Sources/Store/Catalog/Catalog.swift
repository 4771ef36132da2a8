internal import Foundation
internal import GRDB
internal import Glibc
internal import Objects
internal import SystemPackage

/// The SQLite file that knows all versions, their trees, tags and notes. The layout of its tables is in
/// `docs/FORMAT.md`, "The catalog".
///
/// One process writes it, the store's owner, and each change is one durable transaction (WAL,
/// `synchronous = FULL`). Any number of processes may read beside it. Calls are safe from any thread.
public final class Catalog: Sendable {
    // Before the owner, so that they go before it: see ``close()``.
    private let readers: CatalogReaders
    /// The connection that writes; nil in a catalog that is only read.
    private let owner: DatabaseQueue?
    public let isReadOnly: Bool
    /// Whether a COMMIT has failed whose changes may come back with the next start: see ``settle()``.
    private let unsettled = Lock(false)
    /// About how much the log holds that ``moveLongLog()`` has not moved yet.
    private let loggedByteCount = Lock(0)

    /// Opens the catalog at `path`; makes it there if it may write and there is none.
    init(path: String, isReadOnly: Bool) throws(StoreError) {
        self.isReadOnly = isReadOnly
        try Catalog.requireOwnFiles(path)
        var configuration = Configuration()
        // Another process's short transaction is waited for; GRDB's default would fail at once.
        configuration.busyMode = .timeout(10)
        do {
            owner = isReadOnly ? nil : try Catalog.openOwner(path, configuration)
            // SQLite wants to make its log even to read, unless it is told that nobody can change the file.
            let name = isReadOnly && Catalog.isFrozen(path) ? "file:\(path)?immutable=1" : path
            configuration.readonly = true
            configuration.prepareDatabase { db in
                // A checkpoint of one connection can race another's in SQLite before 3.51; readers do none.
                try db.execute(sql: "PRAGMA wal_autocheckpoint = 0")
            }
            readers = CatalogReaders { [configuration] in
                try DatabaseQueue(path: name, configuration: configuration)
            }
            // What cannot be read is to be found now.
            if isReadOnly { try readers.use(Catalog.requireTables) }
        } catch {
            throw Catalog.storeError(error, doing: "open the catalog")
        }
    }

    private static func openOwner(_ path: String, _ configuration: Configuration) throws -> DatabaseQueue {
        var configuration = configuration
        configuration.journalMode = .wal
        configuration.prepareDatabase { db in
            // The owner moves the log between transactions, as long as that comes in time.
            try db.execute(sql: "PRAGMA wal_autocheckpoint = \(Catalog.logPageCountMax)")
        }
        let owner = try DatabaseQueue(path: path, configuration: configuration)
        // Not in `prepareDatabase`: GRDB lowers it to NORMAL after that, which leaves a commit in the page cache until
        // the next checkpoint.
        try owner.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        try Catalog.migrator.migrate(owner)
        try Catalog.moveLog(owner)
        return owner
    }

    /// - Throws: ``StoreError`` `.damaged` for a catalog that its first owner has not finished, or that is another file.
    private static func requireTables(_ reader: DatabaseQueue) throws {
        if try reader.unsafeRead({ db in try db.tableExists("versions") }) { return }
        throw StoreError(
            .damaged, "the catalog has no tables", subject: "catalog.db",
            hint: "restore it from a backup; every sealed byte is still in objects/")
    }

    /// Moves what the log holds into the file, durably. The log may hold a transaction whose sync failed, and which
    /// the kernel can read but the disk cannot; what is shown from now on must be there after a power cut.
    private static func moveLog(_ owner: DatabaseQueue) throws {
        do { try owner.writeWithoutTransaction { db in _ = try db.checkpoint(.full) } } catch {
            // A reader that keeps an older state keeps the log, too.
            guard (error as? DatabaseError)?.resultCode == .SQLITE_BUSY else { throw error }
        }
    }

    /// Pages of the log after which a transaction moves it into the file before it ends: 64 MiB.
    private static let logPageCountMax = 16_384
    /// The same for ``moveLongLog()``, in bytes: SQLite's own default.
    private static let longLogByteCount = 4 << 20
    /// What a transaction writes at the least: some pages.
    private static let transactionByteCount = 32 << 10
    private static let pageByteCount = 4096

    /// To be told of what is written to the log. The log has whole pages: rows that go by their digests are in pages of
    /// their own, at the worst.
    func noteLogged(rows: Int, byteCount: Int = 0) {
        loggedByteCount.withLock { $0 += rows * Catalog.pageByteCount + byteCount }
    }

    /// Moves the log into the file if it is long, at the price of two syncs: while no transaction waits for that.
    func moveLongLog() {
        let isLong = loggedByteCount.withLock { logged in
            guard logged >= Catalog.longLogByteCount else { return false }
            logged = 0
            return true
        }
        // What cannot be moved now is moved later, by the next transaction that finds the log too long if by none before.
        if isLong { _ = try? owner?.writeWithoutTransaction { db in try db.checkpoint(.passive) } }
    }

    /// SQLite opens its files by path, and would follow a symlink that the owner of a store has put there for root.
    private static func requireOwnFiles(_ path: String) throws(StoreError) {
        for name in [path, path + "-wal", path + "-shm"] {
            let found = try system("look at", name) { () throws(Errno) in
                try Syscall.statIfPresent(at: AT_FDCWD, RawPath(name))
            }
            guard let found, found.st_mode & S_IFMT != S_IFREG else { continue }
            throw StoreError(
                .damaged, "it is no file of the store, but a symlink or something else", subject: name,
                hint: "put the store's own file back in its place")
        }
    }

    /// Whether the file lies on a filesystem that is read-only, with nothing in its log.
    private static func isFrozen(_ path: String) -> Bool {
        // Such a path would be another one as a URI.
        guard !path.contains(where: { "?#%".contains($0) }) else { return false }
        // A log that cannot be looked at is for SQLite to complain of.
        let log = try? Syscall.statIfPresent(at: AT_FDCWD, RawPath(path + "-wal"))
        return (log?.st_size ?? 0) == 0 && access(path, W_OK) != 0 && errno == EROFS
    }

    /// Closes all connections; the last one moves the log into the database file.
    func close() throws(StoreError) {
        do {
            // A connection that only reads cannot move the log, so none may be the last.
            let closed = Result { try readers.close() }
            try owner?.close()
            try closed.get()
        } catch { throw Catalog.storeError(error, doing: "close the catalog") }
    }

    func read<Result: Sendable>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
        do { return try readers.use { try $0.read(body) } } catch {
            throw Catalog.storeError(error, doing: "read the catalog")
        }
    }

    /// Runs one statement, which sees one state of the catalog and so needs no transaction around it.
    func readOnce<Result: Sendable>(_ body: (Database) throws -> Result) throws(StoreError) -> Result {
        do { return try readers.use { try $0.unsafeRead(body) } } catch {
            throw Catalog.storeError(error, doing: "read the catalog")
        }
    }

    /// One transaction: all of `body` or nothing, durable when this returns.
    ///
    /// - Throws: also when COMMIT fails. Nothing is stored then, unless ``isSettled`` is false afterwards.
    func write<Result: Sendable>(
        function: StaticString = #function, _ body: (Database) throws -> Result
    ) throws(StoreError) -> Result {
        if !isSettled { try settle() }
        do throws(StoreError) { return try transact(function, body) } catch {
            // Where that fails, the next transaction tries again, and the caller learns why this one failed.
            if !isSettled { try? settle() }
            throw error
        }
    }

    /// Whether all that was not stored is known to stay so.
    var isSettled: Bool { unsettled.withLock { !$0 } }

    /// Makes what a failed COMMIT left in the log unreadable, by writing another transaction over it. If its sync
    /// was what failed, the whole of it may be there, and the next start would find it.
    private func settle() throws(StoreError) {
        let empty = TreeNode.empty.encoded()
        try transact("settle()") { db in
            // Changes nothing, but is written.
            try db.execute(
                sql: "REPLACE INTO nodes (digest, bytes) VALUES (?, ?)",
                arguments: [Digest.of(empty).data, Data(empty)])
        }
        unsettled.withLock { $0 = false }
    }

    private func transact<Result: Sendable>(
        _ function: StaticString, _ body: (Database) throws -> Result
    ) throws(StoreError) -> Result {
        var isCommitting = false
        do {
            guard let owner else {
                throw StoreError(
                    .busy, "the store is open for reading only", hint: "this is a defect; report it")
            }
            try FaultHook.reach(.begin, function)
            let result = try owner.write { db in
                let result = try body(db)
                isCommitting = true
                try FaultHook.reach(.commit, function)
                return result
            }
            try FaultHook.reach(.committed, function)
            loggedByteCount.withLock { $0 += Catalog.transactionByteCount }
            return result
        } catch {
            if isCommitting, Catalog.mayBeInLog(error) { unsettled.withLock { $0 = true } }
            throw Catalog.storeError(error, doing: "write the catalog")
        }
    }

    /// Whether a COMMIT that failed so may have written all of its transaction. The last page to be written is the
    /// one that makes it valid, so not where a write failed.
    private static func mayBeInLog(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return true }
        return error.resultCode != .SQLITE_FULL && error.extendedResultCode != .SQLITE_IOERR_WRITE
    }

    /// What SQLite calls an I/O error without being one.
    private static func cause(of code: ResultCode) -> Errno {
        switch code {
        case .SQLITE_IOERR_NOMEM: .noMemory
        // The index of the log cannot be made longer, which no disk refuses but a full one.
        case .SQLITE_IOERR_SHMSIZE: .noSpace
        default: .ioError
        }
    }

    private static func storeError(_ error: any Error, doing: String) -> StoreError {
        if let error = error as? StoreError { return error }
        if let error = error as? ObjectError { return StoreError(error) }
        if let error = error as? Errno { return StoreError(error, doing: doing, subject: "catalog.db") }
        guard let error = error as? DatabaseError else {
            return StoreError(.damaged, "cannot \(doing): \(error)", subject: "catalog.db")
        }
        let errno: Errno? =
            switch error.resultCode {
            case .SQLITE_FULL: .noSpace
            case .SQLITE_READONLY: .readOnlyFileSystem
            case .SQLITE_IOERR: Catalog.cause(of: error.extendedResultCode)
            case .SQLITE_CANTOPEN: .noSuchFileOrDirectory
            case .SQLITE_PERM, .SQLITE_AUTH: .permissionDenied
            case .SQLITE_NOMEM: .noMemory
            default: nil
            }
        if let errno { return StoreError(errno, doing: doing, subject: "catalog.db") }
        if error.resultCode == .SQLITE_BUSY {
            return StoreError(
                .busy, "another process holds the catalog", subject: "catalog.db", hint: "try again")
        }
        return StoreError(
            .damaged, "cannot \(doing): \(error.message ?? "\(error.resultCode)")", subject: "catalog.db",
            hint: "every sealed byte is still in objects/ under its own SHA-256")
    }
}

extension Digest {
    /// As the catalog stores it: 32 bytes.
    var data: Data { withBytes { Data($0) } }

    /// - Throws: ``StoreError`` `.damaged` where the column holds anything but 32 bytes.
    init(column data: Data) throws(StoreError) {
        guard let digest = Digest(bytes: data) else {
            throw StoreError(
                .damaged, "a digest in the catalog has \(data.count) bytes", subject: "catalog.db")
        }
        self = digest
    }
}
