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

    // MARK: Garbage

    /// What a mark did not reach.
    struct Unreached: Sendable {
        var nodes = 0
        var blobs: [Digest] = []
    }

    func unreached(by mark: Mark) throws(StoreError) -> Unreached {
        try read { db in
            Unreached(
                nodes: try Catalog.digests(in: "nodes", except: mark.nodes, db).count,
                blobs: try Catalog.digests(in: "blobs", except: mark.blobs, db))
        }
    }

    /// Removes what the mark did not reach, in one transaction.
    func sweep(_ mark: Mark) throws(StoreError) -> Unreached {
        try write { db in
            let nodes = try Catalog.digests(in: "nodes", except: mark.nodes, db)
            for digest in nodes {
                try db.cachedStatement(sql: "DELETE FROM nodes WHERE digest = ?").execute(
                    arguments: [digest.data])
            }
            let blobs = try Catalog.digests(in: "blobs", except: mark.blobs, db)
            for digest in blobs {
                try db.cachedStatement(sql: "DELETE FROM blobs WHERE digest = ?").execute(
                    arguments: [digest.data])
            }
            return Unreached(nodes: nodes.count, blobs: blobs)
        }
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
