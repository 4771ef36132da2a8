internal import Foundation
internal import GRDB
internal import Objects

// Tree nodes and the list of known blobs.
extension Catalog {
    /// - Throws: ``StoreError`` `.damaged` when there is no such node.
    func nodeBytes(_ digest: Digest) throws(StoreError) -> [UInt8] {
        let bytes = try read { db in
            try Data.fetchOne(
                db.cachedStatement(sql: "SELECT bytes FROM nodes WHERE digest = ?"), arguments: [digest.data])
        }
        guard let bytes else {
            throw StoreError(
                .damaged, "a tree node is missing from the catalog", subject: digest.hex,
                hint: "firn verify lists every version and path it affects")
        }
        return Array(bytes)
    }

    /// Stores one node outside of any version.
    func keep(_ node: TreeNode) throws(StoreError) {
        let bytes = node.encoded()
        try write { db in
            try db.execute(
                sql: "INSERT OR IGNORE INTO nodes (digest, bytes) VALUES (?, ?)",
                arguments: [Digest.of(bytes).data, Data(bytes)])
        }
    }

    /// Which of `digests` the catalog knows as blobs.
    func knownBlobs(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try read { db in
            let statement = try db.cachedStatement(sql: "SELECT 1 FROM blobs WHERE digest = ?")
            var known: Set<Digest> = []
            for digest in digests
            where try Bool.fetchOne(statement, arguments: [digest.data]) != nil {
                known.insert(digest)
            }
            return known
        }
    }

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

    func nodeCount() throws(StoreError) -> Int {
        try read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM nodes") ?? 0 }
    }

    /// What SQLite finds wrong with its own file; empty where it is sound.
    func check() throws(StoreError) -> [String] {
        try read { db in
            try String.fetchAll(db, sql: "PRAGMA quick_check").filter { $0 != "ok" }
        }
    }

    /// Removes what the mark did not reach, in one transaction.
    func sweep(nodesExcept nodes: Set<Digest>, blobsExcept blobs: Set<Digest>) throws(StoreError) -> SweptRows {
        try write { db in
            var swept = SweptRows()
            for data in try Data.fetchAll(db, sql: "SELECT digest FROM nodes")
            where try !nodes.contains(Digest(column: data)) {
                try db.cachedStatement(sql: "DELETE FROM nodes WHERE digest = ?").execute(arguments: [data])
                swept.nodes += 1
            }
            for data in try Data.fetchAll(db, sql: "SELECT digest FROM blobs")
            where try !blobs.contains(Digest(column: data)) {
                try db.cachedStatement(sql: "DELETE FROM blobs WHERE digest = ?").execute(arguments: [data])
                swept.blobs.append(try Digest(column: data))
            }
            return swept
        }
    }

    struct SweptRows: Sendable {
        var nodes = 0
        var blobs: [Digest] = []
    }
}
