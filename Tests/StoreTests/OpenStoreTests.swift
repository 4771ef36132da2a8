import Foundation
import GRDB
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct OpenStoreTests {
    private let directory = TestDirectory()

    private func create(_ name: String = "store") throws -> String {
        let path = directory.appending(name)
        try Store.create(at: path, now: TestClock.start)
        return path
    }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func `a new store is empty, has an id and says when it was made`() throws {
        let store = try Store.open(at: try create(), .owning)
        #expect(try store.versions() == [])
        #expect(store.format.format == StoreFormat.first)
        #expect(store.format.created == "2026-11-20T09:00:00Z")
        #expect(UUID(uuidString: store.format.id) != nil)
        #expect(try store.verify().isClean)
    }

    @Test func `the owner's catalog syncs its log with every transaction`() throws {
        let store = try Store.open(at: try create(), .owning)
        let level = try store.catalog.write { db in try Int.fetchOne(db, sql: "PRAGMA synchronous") }
        #expect(level == 2, "1 would leave a commit in the page cache until the next checkpoint")
    }

    @Test func `a directory that is not empty does not become a store`() throws {
        try write("mine", to: directory.appending("file"))
        let refused = error { try Store.create(at: directory.path, now: TestClock.start) }
        #expect(refused?.code == .invalidInput)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["file"])
        #expect(code { try Store.create(at: directory.appending("file"), now: TestClock.start) } != nil)
    }

    /// Without a catalog, with one that has nothing in it, and with one whose first transaction is to be rolled back.
    @Test(arguments: [nil, [], SQLiteJournal.ofNothing])
    func `a store whose making was cut short is finished by who opens it first`(journal: [UInt8]?) throws {
        let path = directory.appending("cut")
        try Store.create(at: path, now: TestClock.start)
        for name in ["catalog.db", "catalog.db-wal", "catalog.db-shm"] { unlink("\(path)/\(name)") }
        if let journal {
            let page = [UInt8](repeating: 0, count: journal.isEmpty ? 0 : 4096)
            try Data(page).write(to: URL(fileURLWithPath: "\(path)/catalog.db"))
            if !journal.isEmpty {
                try Data(journal).write(to: URL(fileURLWithPath: "\(path)/catalog.db-journal"))
            }
        }
        let reader = try Store.open(at: path, .reading)
        #expect(try reader.versions().isEmpty)
        try reader.close()
        let owner = try Store.open(at: path, .owning)
        #expect(try owner.verify().isClean)
        try owner.close()
    }

    @Test func `a catalog that is missing is made anew only where there is nothing to be missed`() throws {
        let path = directory.appending("lost")
        try Store.create(at: path, now: TestClock.start)
        try Data([1]).write(to: URL(fileURLWithPath: "\(path)/objects/left"))
        unlink("\(path)/catalog.db")
        #expect(code { _ = try Store.open(at: path, .reading) } == .system(.noSuchFileOrDirectory))
        #expect(access("\(path)/catalog.db", F_OK) != 0)
        try Data().write(to: URL(fileURLWithPath: "\(path)/catalog.db"))
        #expect(code { _ = try Store.open(at: path, .reading) } == .damaged)
    }

    @Test func `making a store that was interrupted can be done again, and over nothing else`() throws {
        let path = directory.appending("store")
        for name in ["", "/objects", "/tmp"] { mkdir(path + name, 0o755) }
        try write("{", to: path + "/tmp/firn.json")
        try Store.create(at: path, now: TestClock.start)
        #expect(try Store.open(at: path, .owning).verify().isClean)

        let other = directory.appending("other")
        for name in ["", "/objects", "/objects/mine"] { mkdir(other + name, 0o755) }
        #expect(code { try Store.create(at: other, now: TestClock.start) } == .invalidInput)
        #expect(try FileManager.default.contentsOfDirectory(atPath: other) == ["objects"])
    }

    @Test func `a store that cannot be made whole is not left half made`() throws {
        let path = directory.appending("store")
        let faults = FaultPlan()
        faults.fail(at: FaultPoint(.commit, in: "keep(_:_:)"), with: .noSpace)
        #expect(
            code { try faults.during { try Store.create(at: path, now: TestClock.start) } }
                == .system(.noSpace))
        #expect(code { _ = try Store.open(at: path, .reading) } == .notAStore)
        try Store.create(at: path, now: TestClock.start)
        #expect(try Store.open(at: path, .owning).verify().isClean)
    }

    @Test func `a store is not made over a store`() throws {
        let path = try create()
        #expect(code { try Store.create(at: path, now: TestClock.start) } == .alreadyAStore)
    }

    @Test func `what is not a store is not opened`() throws {
        for path in [directory.path, directory.appending("none")] {
            #expect(code { _ = try Store.open(at: path, .owning) } == .notAStore)
            #expect(code { _ = try Store.open(at: path, .reading) } == .notAStore)
        }
        try write("{}", to: directory.appending("firn.json"))
        #expect(code { _ = try Store.open(at: directory.path, .owning) } == .notAStore)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["firn.json"])
    }

    @Test func `a store of a newer format is left alone`() throws {
        let path = try create()
        try write(#"{"format": 3, "id": "x", "created": "y", "more": []}"#, to: "\(path)/firn.json")
        let before = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        let refused = error { _ = try Store.open(at: path, .owning) }
        #expect(refused?.code == .newerFormat)
        #expect(refused?.message.contains("format 3") == true)
        #expect(try FileManager.default.contentsOfDirectory(atPath: path).sorted() == before)
    }

    @Test func `a second owner is refused and told of the first`() throws {
        let path = try create()
        let first = try Store.open(at: path, .owning)
        let refused = error { _ = try Store.open(at: path, .owning) }
        #expect(refused?.code == .busy)
        #expect(refused?.message.contains("process \(getpid())") == true)
        _ = try Store.open(at: path, .reading).versions()
        try first.close()
    }

    @Test func `ownership ends with the last reference`() throws {
        let path = try create()
        for _ in 0..<3 { try Store.open(at: path, .owning).close() }
    }

    @Test func `a reader changes nothing`() throws {
        let path = try create()
        try Store.open(at: path, .owning).close()
        let reader = try Store.open(at: path, .reading)
        #expect(code { try reader.setTag(try! TagName("t"), to: VersionNumber(1), moves: true) } == .busy)
    }

    @Test(.enabled(if: TestHost.isRoot))
    func `a directory that cannot be written to does not become a store`() throws {
        let path = directory.appending("readonly")
        try #require(mkdir(path, 0o755) == 0)
        try #require(mount(path, path, nil, 4096, nil) == 0)
        defer { umount(path) }
        try #require(mount(nil, path, nil, 4096 | 32 | 1, nil) == 0)
        let refused = error { try Store.create(at: "\(path)/store", now: TestClock.start) }
        #expect(refused?.code == .system(.readOnlyFileSystem))
        #expect(refused?.hint.contains("read-only") == true)
    }

    @Test(.enabled(if: TestHost.isRoot))
    func `a store on a filesystem that is read-only can be read and not owned`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let version = try fixture.commit()
        try fixture.close()
        let path = fixture.path
        try #require(mount(path, path, nil, 4096, nil) == 0)
        defer { umount(path) }
        try #require(mount(nil, path, nil, 4096 | 32 | 1, nil) == 0)
        #expect(code { _ = try Store.open(at: path, .owning) } == .system(.readOnlyFileSystem))
        let reader = try Store.open(at: path, .reading)
        #expect(try reader.latest() == version)
        try reader.close()
    }

    @Test func `workspaces have plain names`() throws {
        let store = try Store.open(at: try create(), .owning)
        for name in ["", "..", "a/b", "."] {
            #expect(code { _ = try store.workspace(name) } == .invalidInput)
        }
        #expect(try store.workspace("main") === store.workspace("main"))
        #expect(try store.workspaceNames() == ["main"])
    }

    @Test(arguments: [
        "objects", "tmp", "workspaces", "workspaces/main", "workspaces/main/upper", "lock", "firn.json",
        "catalog.db",
        "catalog.db-wal",
    ])
    func `a part of the store that became a symlink is refused, and what is behind it stays as it is`(
        part: String
    ) throws {
        let fixture = try StoreFixture(["a/b": [1]])
        try fixture.commit()
        try fixture.close()
        let outside = TestDirectory()
        let outcome = try Shell.run(
            "/bin/sh", "-ec",
            """
            cd '\(fixture.path)'; mkdir '\(outside.path)/t1'; printf precious > '\(outside.path)/file'
            [ -e \(part) ] || touch \(part)
            mv \(part) '\(outside.path)/moved'; ln -s '\(outside.path)/moved' \(part)
            """)
        try #require(outcome.status == 0)
        let before = try TreeSnapshot.read(outside.path)
        #expect(throws: StoreError.self) { try fixture.open() }
        #expect(try TreeSnapshot.read(outside.path) == before)
    }
}

private enum SQLiteJournal {
    /// The rollback journal of a transaction that began in a file without pages. See: sqlite.org/fileformat2.html, 3
    static let ofNothing: [UInt8] =
        [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7] + [UInt8](repeating: 0, count: 12)
        + [0, 0, 2, 0, 0, 0, 16, 0] + [UInt8](repeating: 0, count: 484)
}
