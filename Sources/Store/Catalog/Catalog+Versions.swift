internal import Foundation
internal import GRDB
internal import Objects

// Versions, tags, pins and annotations.
extension Catalog {
    /// Everything one commit adds.
    struct Commit: Sendable {
        let manifest: Manifest
        let nodes: [Digest: [UInt8]]
        /// How those of the nodes are kept that are not kept whole. The store's format must be one that has deltas.
        var deltas: [Digest: NodeDelta] = [:]
        /// Blobs this version refers to that the catalog did not know.
        let blobs: NewBlobs
        var inodeNumbers: InodeNumberChanges = [:]
        let newBytes: UInt64
        let tags: [TagName]
        let movesTags: Bool
        let pins: Bool
    }

    struct NewBlob: Comparable, Sendable {
        let digest: Digest
        let size: UInt64

        static func < (one: NewBlob, other: NewBlob) -> Bool { one.digest < other.digest }
    }

    /// Rows for new blobs, made ready to be inserted: that takes nearly as long as to insert them, and is done before
    /// changes are held up.
    struct NewBlobs: Sendable {
        /// In the order in which the catalog keeps them, so that each of its pages is written once.
        let rows: [NewBlob]
        let batches: [StatementArguments]

        init(_ rows: [NewBlob] = []) {
            self.rows = rows
            batches = stride(from: 0, to: rows.count, by: Catalog.rowsTogether).map { start in
                let batch = rows[start..<min(start + Catalog.rowsTogether, rows.count)]
                var values: [DatabaseValue] = []
                values.reserveCapacity(2 * batch.count)
                for row in batch {
                    values.append(row.digest.data.databaseValue)
                    values.append(Int64(clamping: row.size).databaseValue)
                }
                return StatementArguments(values)
            }
        }

        /// - Parameter blobs: sizes by digest.
        init(_ blobs: [Digest: UInt64], but known: Set<Digest>) {
            var rows: [NewBlob] = []
            rows.reserveCapacity(blobs.count)
            for (digest, size) in blobs where !known.contains(digest) {
                rows.append(NewBlob(digest: digest, size: size))
            }
            self.init(rows.sorted())
        }

        static func + (some: NewBlobs, others: NewBlobs) -> NewBlobs {
            if others.rows.isEmpty { return some }
            return some.rows.isEmpty ? others : NewBlobs((some.rows + others.rows).sorted())
        }
    }

    /// The commit point: one transaction, durable when this returns. All that it names must be durable before.
    ///
    /// - Throws: ``StoreError`` `.tagExists`; nothing is stored then, unless ``isSettled`` is false afterwards.
    func commit(_ commit: Commit) throws(StoreError) -> Version {
        do throws(StoreError) { return try store(commit) } catch {
            // What went wrong came after COMMIT.
            if let version = try version(commit.manifest.digest) { return version }
            throw error
        }
    }

    private func store(_ commit: Commit) throws(StoreError) -> Version {
        try write { db in
            for tag in commit.tags where !commit.movesTags { try Catalog.requireFree(tag, db) }
            try insert(commit.nodes, commit.deltas, db)
            try insert(commit.blobs, db)
            try Catalog.apply(commit.inodeNumbers, db)
            let manifest = commit.manifest.encoded()
            let digest = Digest.of(manifest)
            try db.execute(
                sql: """
                    INSERT INTO versions
                        (digest, manifest, time, workspace, generation, new_bytes, new_blobs, pinned)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    digest.data, Data(manifest), commit.manifest.time.nanoseconds, commit.manifest.workspace,
                    Int64(clamping: commit.manifest.generation), Int64(clamping: commit.newBytes),
                    commit.blobs.rows.count, commit.pins,
                ])
            let number = VersionNumber(db.lastInsertedRowID)
            for tag in commit.tags { try Catalog.setTag(tag, number, commit.manifest.time, db) }
            return Version(
                number: number, digest: digest, manifest: commit.manifest, newBytes: commit.newBytes,
                newBlobs: UInt64(commit.blobs.rows.count), isPinned: commit.pins,
                tags: commit.tags.map(\.text).sorted())
        }
    }

    /// All versions, oldest first.
    func versions() throws(StoreError) -> [Version] {
        try read { db in
            let tags = try Dictionary(
                grouping: Row.fetchAll(db, sql: "SELECT version, name FROM tags ORDER BY name"),
                by: { $0[0] as Int64 })
            let rows = try Row.fetchCursor(db, sql: "SELECT \(Catalog.columns) FROM versions ORDER BY number")
            var versions: [Version] = []
            while let row = try rows.next() {
                versions.append(try Catalog.version(row, tags: (tags[row[0]] ?? []).map { $0[1] }))
            }
            return versions
        }
    }

    func version(_ number: VersionNumber) throws(StoreError) -> Version? {
        try version(sql: "SELECT \(Catalog.columns) FROM versions WHERE number = ?", [number.value])
    }

    func version(_ digest: Digest) throws(StoreError) -> Version? {
        try version(sql: "SELECT \(Catalog.columns) FROM versions WHERE digest = ?", [digest.data])
    }

    func latestVersion() throws(StoreError) -> Version? {
        try version(sql: "SELECT \(Catalog.columns) FROM versions ORDER BY number DESC LIMIT 1", [])
    }

    /// The version that sealed `generation` of `workspace`; recovery asks whether a commit was finished.
    func version(workspace: String, generation: UInt64) throws(StoreError) -> Version? {
        try version(
            sql:
                "SELECT \(Catalog.columns) FROM versions WHERE workspace = ? AND generation = ? ORDER BY number DESC LIMIT 1",
            [workspace, Int64(clamping: generation)])
    }

    /// The first version that the query finds.
    func version(sql: String, _ arguments: StatementArguments) throws(StoreError) -> Version? {
        try read { db in
            guard let row = try Row.fetchOne(db.cachedStatement(sql: sql), arguments: arguments) else {
                return nil
            }
            let tags = try String.fetchAll(
                db.cachedStatement(sql: "SELECT name FROM tags WHERE version = ? ORDER BY name"),
                arguments: [row[0] as Int64])
            return try Catalog.version(row, tags: tags)
        }
    }

    /// What ``version(_:tags:)`` reads, by place: to look a column up by its name takes as long as to read it.
    static let columns = "number, digest, manifest, new_bytes, new_blobs, pinned"

    /// - Throws: ``StoreError`` `.damaged` where a row does not decode or its digest is not its manifest's.
    private static func version(_ row: Row, tags: [String]) throws -> Version {
        let bytes = Array(row[2] as Data)
        let digest = try Digest(column: row[1])
        let number = VersionNumber(row[0])
        guard Digest.of(bytes) == digest else {
            throw StoreError(
                .damaged, "the manifest does not match its digest", subject: number.description)
        }
        return Version(
            number: number, digest: digest, manifest: try Manifest(decoding: bytes),
            newBytes: UInt64(clamping: row[3] as Int64), newBlobs: UInt64(clamping: row[4] as Int64),
            isPinned: row[5], tags: tags)
    }

    /// Forgets versions, with their tags and annotations, in one transaction. Their objects stay until swept.
    func remove(_ numbers: [VersionNumber]) throws(StoreError) {
        try write { db in
            for number in numbers {
                try db.execute(sql: "DELETE FROM versions WHERE number = ?", arguments: [number.value])
            }
        }
    }

    // MARK: Tags

    func tags() throws(StoreError) -> [String: VersionNumber] {
        try read { db in
            try Dictionary(
                uniqueKeysWithValues: Row.fetchAll(db, sql: "SELECT name, version FROM tags").map {
                    ($0["name"], VersionNumber($0["version"]))
                })
        }
    }

    func tag(_ name: String) throws(StoreError) -> VersionNumber? {
        try read { db in
            try Int64.fetchOne(
                db.cachedStatement(sql: "SELECT version FROM tags WHERE name = ?"), arguments: [name]
            ).map { VersionNumber($0) }
        }
    }

    /// - Throws: ``StoreError`` `.tagExists` unless `moves`, `.unknownVersion`.
    func setTag(_ tag: TagName, _ number: VersionNumber, at time: Timestamp, moves: Bool) throws(StoreError) {
        try write { db in
            try Catalog.require(number, db)
            if !moves { try Catalog.requireFree(tag, db) }
            try Catalog.setTag(tag, number, time, db)
        }
    }

    /// - Returns: whether there was such a tag.
    func removeTag(_ name: String) throws(StoreError) -> Bool {
        try write { db in
            try db.execute(sql: "DELETE FROM tags WHERE name = ?", arguments: [name])
            return db.changesCount > 0
        }
    }

    private static func requireFree(_ tag: TagName, _ db: Database) throws {
        let sql = "SELECT version FROM tags WHERE name = ?"
        guard let number = try Int64.fetchOne(db, sql: sql, arguments: [tag.text]) else { return }
        throw StoreError(
            .tagExists, "the tag is taken by \(VersionNumber(number))", subject: tag.text,
            hint: "choose another name, or move the tag with --force")
    }

    private static func setTag(
        _ tag: TagName, _ number: VersionNumber, _ time: Timestamp, _ db: Database
    ) throws {
        try db.execute(
            sql: """
                INSERT INTO tags (name, version, time) VALUES (?, ?, ?)
                ON CONFLICT (name) DO UPDATE SET version = excluded.version, time = excluded.time
                """,
            arguments: [tag.text, number.value, time.nanoseconds])
    }

    // MARK: Pins and annotations

    private static func require(_ number: VersionNumber, _ db: Database) throws {
        let sql = "SELECT 1 FROM versions WHERE number = ?"
        guard try Bool.fetchOne(db, sql: sql, arguments: [number.value]) == nil else { return }
        throw StoreError(
            .unknownVersion, "there is no such version", subject: number.description,
            hint: "firn log lists the versions there are")
    }

    /// - Throws: ``StoreError`` `.unknownVersion`.
    func setPinned(_ number: VersionNumber, _ isPinned: Bool) throws(StoreError) {
        try write { db in
            try Catalog.require(number, db)
            try db.execute(
                sql: "UPDATE versions SET pinned = ? WHERE number = ?", arguments: [isPinned, number.value])
        }
    }

    /// - Throws: ``StoreError`` `.unknownVersion`.
    func annotate(_ number: VersionNumber, _ annotations: [Annotation]) throws(StoreError) {
        try write { db in
            try Catalog.require(number, db)
            for annotation in annotations {
                try db.execute(
                    sql: "INSERT INTO annotations (version, key, value, author, time) VALUES (?, ?, ?, ?, ?)",
                    arguments: [
                        number.value, annotation.key, annotation.value, annotation.author,
                        annotation.time.nanoseconds,
                    ])
            }
        }
    }

    /// In the order they were made.
    func annotations(_ number: VersionNumber) throws(StoreError) -> [Annotation] {
        try read { db in
            let sql = "SELECT key, value, author, time FROM annotations WHERE version = ? ORDER BY id"
            return try Row.fetchAll(db, sql: sql, arguments: [number.value]).map {
                Annotation(
                    key: $0["key"], value: $0["value"], author: $0["author"],
                    time: Timestamp(nanoseconds: $0["time"]))
            }
        }
    }
}
