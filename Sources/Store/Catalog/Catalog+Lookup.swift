internal import Foundation
internal import GRDB
internal import Objects

// Finding versions by what a person says of them. Each is one query on an index.
extension Catalog {
    /// The version `back` places below the newest one whose number is at most `number`; only versions that are
    /// kept count.
    func version(back: Int, from number: VersionNumber) throws(StoreError) -> Version? {
        try version(
            sql:
                "SELECT \(Catalog.columns) FROM versions WHERE number <= ? ORDER BY number DESC LIMIT 1 OFFSET ?",
            [number.value, back])
    }

    /// The newest version of before `end`, by time, and by number among equal times.
    func newestVersion(before end: Timestamp) throws(StoreError) -> Version? {
        try version(
            sql:
                "SELECT \(Catalog.columns) FROM versions WHERE time < ? ORDER BY time DESC, number DESC LIMIT 1",
            [end.nanoseconds])
    }

    /// Up to `limit` versions whose digest begins with these hexadecimal digits, in order of digest.
    func versions(
        digestPrefix prefix: String, limit: Int
    ) throws(StoreError) -> [(number: VersionNumber, digest: Digest)] {
        let missing = Digest.byteCount * 2 - prefix.utf8.count
        guard missing >= 0, let low = Digest(hex: prefix + String(repeating: "0", count: missing)),
            let high = Digest(hex: prefix + String(repeating: "f", count: missing))
        else { return [] }
        return try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT number, digest FROM versions WHERE digest BETWEEN ? AND ?
                    ORDER BY digest LIMIT ?
                    """,
                arguments: [low.data, high.data, limit]
            ).map { (VersionNumber($0["number"]), try Digest(column: $0["digest"])) }
        }
    }

    /// The numbers of all versions, oldest first.
    func numbers() throws(StoreError) -> [VersionNumber] {
        try read { db in
            try Int64.fetchAll(db, sql: "SELECT number FROM versions ORDER BY number").map {
                VersionNumber($0)
            }
        }
    }

    /// The greatest number that was ever given to a version, kept or not; 0 before the first.
    func greatestNumber() throws(StoreError) -> VersionNumber {
        try read { db in
            VersionNumber(
                try Int64.fetchOne(db, sql: "SELECT seq FROM sqlite_sequence WHERE name = 'versions'") ?? 0)
        }
    }
}

// What verification reads: everything as it is, sound or not.
extension Catalog {
    struct VersionRow: Sendable {
        let number: VersionNumber
        /// nil where the column does not hold one.
        let digest: Digest?
        let manifest: [UInt8]
    }

    /// All versions, oldest first, undecoded.
    func versionRows() throws(StoreError) -> [VersionRow] {
        try read { db in
            try Row.fetchAll(db, sql: "SELECT number, digest, manifest FROM versions ORDER BY number").map {
                VersionRow(
                    number: VersionNumber($0["number"]), digest: Digest(bytes: $0["digest"] as Data),
                    manifest: Array($0["manifest"] as Data))
            }
        }
    }

    /// SQLite's own check of its file; empty when it finds nothing wrong.
    func quickCheck() throws(StoreError) -> [String] {
        do throws(StoreError) {
            return try read { db in
                try String.fetchAll(db, sql: "PRAGMA quick_check").filter { $0 != "ok" }
            }
        } catch {
            guard error.code == .damaged else { throw error }
            return [error.message]
        }
    }
}
