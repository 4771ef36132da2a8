internal import Foundation
internal import GRDB
internal import Objects

// Tree nodes and the list of known blobs.
extension Catalog {
    /// Bytes that have still to be compared with the digest.
    ///
    /// - Throws: ``StoreError`` `.damaged` when there is no such node, or when it is a delta that leads to none.
    func nodeBytes(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try requiredNode(digest).bytes(of: digest)
    }

    /// - Throws: ``StoreError`` `.damaged` when there is no such node.
    func requiredNode(_ digest: Digest) throws(StoreError) -> StoredNode {
        guard let stored = try storedNode(digest) else {
            throw StoreError(
                .damaged, "a tree node is missing from the catalog", subject: digest.hex,
                hint: "firn verify lists every version and path it affects")
        }
        return stored
    }

    /// Stores nodes outside of any version: garbage, unless one refers to them later.
    func keep(_ nodes: [Digest: [UInt8]], _ deltas: [Digest: NodeDelta] = [:]) throws(StoreError) {
        try write { db in try insert(nodes, deltas, db) }
    }

    /// Which of `digests` the catalog knows as blobs.
    func knownBlobs(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        let sorted = digests.sorted()
        let parts = stride(from: 0, to: sorted.count, by: Catalog.askedTogether).map {
            sorted[$0..<min($0 + Catalog.askedTogether, sorted.count)]
        }
        let known = Lock(Set<Digest>())
        try Parallel.forEach(parts) { part throws(StoreError) in
            let found = try read { db in try Catalog.knownBlobs(part, db) }
            known.withLock { $0.formUnion(found) }
        }
        return known.withLock { $0 }
    }

    private static func knownBlobs(_ digests: ArraySlice<Digest>, _ db: Database) throws -> Set<Digest> {
        var known: Set<Digest> = []
        var rest = digests
        while !rest.isEmpty {
            let asked = rest.prefix(rowsTogether)
            rest = rest.dropFirst(rowsTogether)
            let statement = try db.cachedStatement(
                sql: "SELECT digest FROM blobs WHERE digest IN (\(marks("?", asked.count)))")
            let rows = try Data.fetchCursor(statement, arguments: StatementArguments(asked.map(\.data)))
            while let data = try rows.next() { known.insert(try Digest(column: data)) }
        }
        return known
    }

    func insert(_ blobs: NewBlobs, _ db: Database) throws {
        noteLogged(rows: blobs.rows.count)
        for (index, arguments) in blobs.batches.enumerated() {
            let count = min(Catalog.rowsTogether, blobs.rows.count - index * Catalog.rowsTogether)
            let marks = Catalog.marks("(?, ?)", count)
            try db.cachedStatement(sql: "INSERT OR IGNORE INTO blobs (digest, size) VALUES \(marks)").execute(
                arguments: arguments)
        }
    }

    /// What stands in a statement for `count` rows.
    private static func marks(_ mark: String, _ count: Int) -> String {
        repeatElement(mark, count: count).joined(separator: ", ")
    }

    /// Many rows for each statement, which costs half as much as one.
    static let rowsTogether = 128

    /// On one connection, in the order of the table.
    private static let askedTogether = 8192

    func knownBlobs() throws(StoreError) -> Set<Digest> {
        try read { db in
            try Set(Data.fetchAll(db, sql: "SELECT digest FROM blobs").map { try Digest(column: $0) })
        }
    }

    /// How many distinct blobs there are and the sum of their sizes.
    func blobTotals() throws(StoreError) -> (count: Int, bytes: UInt64) {
        try read { db in
            let row = try Row.fetchOne(db, sql: "SELECT count(*), coalesce(sum(size), 0) FROM blobs")
            return (row?[0] ?? 0, UInt64(row?[1] as Int64? ?? 0))
        }
    }

    // MARK: Garbage

    /// What a mark did not reach.
    struct Unreached: Sendable {
        var nodes = 0
        /// Nodes that it did not reach either, but that others are deltas of.
        var bases = 0
        var blobs: [Digest] = []
    }

    func unreached(by mark: Mark) throws(StoreError) -> Unreached {
        try read { db in try Catalog.unreached(by: mark, db) { _, _ in } }
    }

    /// Removes what the mark did not reach, in one transaction.
    func sweep(_ mark: Mark) throws(StoreError) -> Unreached {
        try write { db in
            try Catalog.unreached(by: mark, db) { table, digest in
                try db.cachedStatement(sql: "DELETE FROM \(table) WHERE digest = ?").execute(
                    arguments: [digest.data])
            }
        }
    }

    /// - Parameter body: called with each row that was not reached, and its table.
    private static func unreached(
        by mark: Mark, _ db: Database, _ body: (_ table: String, Digest) throws -> Void
    ) throws -> Unreached {
        var unreached = Unreached()
        let bases = try bases(ofDeltasIn: mark.nodes, db)
        unreached.bases = bases.count { !mark.nodes.contains($0) }
        for (table, kept) in [("deltas", mark.nodes), ("nodes", mark.nodes.union(bases))] {
            let digests = try digests(in: table, except: kept, db)
            unreached.nodes += digests.count
            for digest in digests { try body(table, digest) }
        }
        unreached.blobs = try digests(in: "blobs", except: mark.blobs, db)
        for digest in unreached.blobs { try body("blobs", digest) }
        return unreached
    }

    /// The nodes without which others cannot be read.
    private static func bases(ofDeltasIn kept: Set<Digest>, _ db: Database) throws -> Set<Digest> {
        var bases: Set<Digest> = []
        let rows = try Row.fetchCursor(db, sql: "SELECT digest, base FROM deltas")
        while let row = try rows.next() {
            if kept.contains(try Digest(column: row[0])) { bases.insert(try Digest(column: row[1])) }
        }
        return bases
    }

    private static func digests(
        in table: String, except kept: Set<Digest>, _ db: Database
    ) throws -> [Digest] {
        var result: [Digest] = []
        // By cursor: there may be millions.
        let rows = try Data.fetchCursor(db, sql: "SELECT digest FROM \(table)")
        while let data = try rows.next() {
            let digest = try Digest(column: data)
            if !kept.contains(digest) { result.append(digest) }
        }
        return result
    }
}
