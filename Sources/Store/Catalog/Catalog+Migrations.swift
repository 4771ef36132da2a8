internal import GRDB

extension Catalog {
    /// Every change of the tables, in order, each applied once. What has been released is never edited.
    static var migrator: DatabaseMigrator {
        var migrator = DatabaseMigrator()
        migrator.registerMigration("1: versions, trees, tags") { db in
            try db.execute(
                sql: """
                    CREATE TABLE versions (
                        number     INTEGER PRIMARY KEY AUTOINCREMENT,
                        digest     BLOB NOT NULL UNIQUE,
                        manifest   BLOB NOT NULL,
                        time       INTEGER NOT NULL,
                        workspace  TEXT NOT NULL,
                        generation INTEGER NOT NULL,
                        new_bytes  INTEGER NOT NULL,
                        new_blobs  INTEGER NOT NULL,
                        pinned     INTEGER NOT NULL DEFAULT 0
                    );
                    CREATE INDEX versions_time ON versions (time);
                    CREATE TABLE tags (
                        name    TEXT PRIMARY KEY NOT NULL,
                        version INTEGER NOT NULL REFERENCES versions (number) ON DELETE CASCADE,
                        time    INTEGER NOT NULL
                    ) WITHOUT ROWID;
                    CREATE INDEX tags_version ON tags (version);
                    CREATE TABLE annotations (
                        id      INTEGER PRIMARY KEY,
                        version INTEGER NOT NULL REFERENCES versions (number) ON DELETE CASCADE,
                        key     TEXT NOT NULL,
                        value   TEXT NOT NULL,
                        author  TEXT NOT NULL,
                        time    INTEGER NOT NULL
                    );
                    CREATE INDEX annotations_version ON annotations (version);
                    CREATE TABLE nodes (
                        digest BLOB PRIMARY KEY NOT NULL,
                        bytes  BLOB NOT NULL
                    );
                    CREATE TABLE blobs (
                        digest BLOB PRIMARY KEY NOT NULL,
                        size   INTEGER NOT NULL
                    ) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("2: inode numbers") { db in
            try db.execute(
                sql: """
                    CREATE TABLE inodes (
                        parent INTEGER NOT NULL,
                        name   BLOB NOT NULL,
                        number INTEGER NOT NULL,
                        PRIMARY KEY (parent, name)
                    ) WITHOUT ROWID;
                    """)
        }
        migrator.registerMigration("3: tree nodes as deltas") { db in
            try db.execute(
                sql: """
                    CREATE TABLE deltas (
                        digest BLOB PRIMARY KEY NOT NULL,
                        base   BLOB NOT NULL,
                        bytes  BLOB NOT NULL
                    );
                    """)
        }
        return migrator
    }
}
