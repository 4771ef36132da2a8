internal import Foundation
internal import GRDB
internal import Objects

/// What a commit changes in the numbers noted for names of the base: nil for a name that needs none any more. By
/// directory, whose number is the key.
typealias InodeNumberChanges = [UInt64: [FileName: UInt64?]]

// The inode numbers of a workspace's base that do not follow from directory and name.
extension Catalog {
    /// The noted numbers of what the directory with number `parent` holds.
    func inodeNumbers(in parent: UInt64) throws(StoreError) -> [FileName: UInt64] {
        try read { db in
            let statement = try db.cachedStatement(sql: "SELECT name, number FROM inodes WHERE parent = ?")
            var numbers: [FileName: UInt64] = [:]
            let rows = try Row.fetchCursor(statement, arguments: [Int64(bitPattern: parent)])
            while let row = try rows.next() {
                numbers[FileName(unchecked: Array(row[0] as Data))] = UInt64(bitPattern: row[1])
            }
            return numbers
        }
    }

    static func apply(_ changes: InodeNumberChanges, _ db: Database) throws {
        let insert = try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO inodes (parent, name, number) VALUES (?, ?, ?)")
        let delete = try db.cachedStatement(sql: "DELETE FROM inodes WHERE parent = ? AND name = ?")
        for (parent, names) in changes {
            let parent = Int64(bitPattern: parent)
            // In the order of the table, in which neighbours cost little.
            for (name, number) in names.sorted(by: { $0.key < $1.key }) {
                if let number {
                    try insert.execute(arguments: [parent, Data(name.bytes), Int64(bitPattern: number)])
                } else {
                    try delete.execute(arguments: [parent, Data(name.bytes)])
                }
            }
        }
    }

    /// The numbers of all directories that have notes.
    func directoriesWithInodeNumbers() throws(StoreError) -> Set<UInt64> {
        try read { db in
            Set(
                try Int64.fetchAll(db, sql: "SELECT DISTINCT parent FROM inodes").map {
                    UInt64(bitPattern: $0)
                })
        }
    }

    /// Removes all notes of what these directories hold.
    func removeInodeNumbers(in directories: Set<UInt64>) throws(StoreError) {
        if directories.isEmpty { return }
        try write { db in
            let statement = try db.cachedStatement(sql: "DELETE FROM inodes WHERE parent = ?")
            for parent in directories { try statement.execute(arguments: [Int64(bitPattern: parent)]) }
        }
    }
}
