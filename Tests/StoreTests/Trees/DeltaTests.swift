import Foundation
import GRDB
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// Tree nodes that the catalog keeps as deltas of others.
@Suite struct DeltaTests {
    private let fixture: StoreFixture
    private let first: Version

    /// A version with a directory of 300 files, whose nodes are leaves and an inner one.
    init() throws {
        fixture = try StoreFixture(
            Dictionary(uniqueKeysWithValues: (0..<300).map { (DeltaTests.path($0), [UInt8($0 % 256)]) }))
        first = try fixture.commit("first")
    }

    private static func path(_ number: Int) -> TreePath { TreePath(stringLiteral: "many/f\(1000 + number)") }

    /// Changes some files and seals them.
    private func change(_ numbers: Int..., to byte: UInt8) throws -> Version {
        for number in numbers { try fixture.write(DeltaTests.path(number), [byte, byte]) }
        return try fixture.commit()
    }

    private func count(_ sql: String) throws -> Int {
        try fixture.store.catalog.read { db in try Int.fetchOne(db, sql: sql) ?? 0 }
    }

    private func storedFormat() throws -> Int {
        struct Number: Decodable { let format: Int }
        let file = URL(fileURLWithPath: fixture.appending("firn.json"))
        return try JSONDecoder().decode(Number.self, from: Data(contentsOf: file)).format
    }

    /// Of the catalog's nodes, one that others are deltas of.
    private func base() throws -> Digest {
        let base = try fixture.store.catalog.read { db in
            try Data.fetchOne(db, sql: "SELECT base FROM deltas ORDER BY base")
        }
        return try Digest(column: try #require(base))
    }

    private func expectReadable(_ version: Version, _ changed: [Int: UInt8]) throws {
        for store in [fixture.store, try fixture.reader()] {
            let tree = try #require(try store.entry(at: "many", of: version).tree)
            let entries = try store.trees.entries(in: tree)
            let expected = (0..<300).map { number in
                Digest.of(changed[number].map { [$0, $0] } ?? [UInt8(number % 256)])
            }
            #expect(entries.map(\.blob) == expected)
        }
    }

    // MARK: Keeping them

    @Test func `what little changed of a directory is a delta, and is read as the whole`() throws {
        #expect(try count("SELECT count(*) FROM deltas") == 0)
        let nodes = try count("SELECT count(*) FROM nodes")
        let second = try change(7, to: 1)
        // A leaf. What has three items is not worth it.
        #expect(try count("SELECT count(*) FROM deltas") >= 1)
        #expect(try count("SELECT max(length(bytes)) FROM deltas") < 200)
        #expect(try count("SELECT count(*) FROM nodes") <= nodes + 2)
        try expectReadable(first, [:])
        try expectReadable(second, [7: 1])
        let report = try fixture.store.verify()
        #expect(report.isClean)
        try fixture.reopen()
        try expectReadable(second, [7: 1])
    }

    @Test func `a walk that was not prepared keeps deltas as well`() throws {
        try fixture.close()
        try Data().write(to: URL(fileURLWithPath: fixture.appending("unsynced")))
        try fixture.open()
        #expect(fixture.store.lostWrites.mustCopy)
        let second = try change(7, to: 1)
        #expect(try count("SELECT count(*) FROM deltas") >= 1)
        try expectReadable(second, [7: 1])
    }

    @Test func `a delta's base is a whole node, and a new one comes before deltas grow large`() throws {
        var versions: [(Version, [Int: UInt8])] = [(first, [:])]
        var changed: [Int: UInt8] = [:]
        for round in 0..<60 {
            let number = round * 5
            changed[number] = 9
            versions.append((try change(number, to: 9), changed))
        }
        #expect(try count("SELECT count(*) FROM deltas WHERE base NOT IN (SELECT digest FROM nodes)") == 0)
        #expect(try count("SELECT count(*) FROM deltas WHERE digest IN (SELECT digest FROM nodes)") == 0)
        #expect(try count("SELECT count(DISTINCT base) FROM deltas") > 1)
        let bytes = "SELECT sum(length(bytes)) FROM"
        #expect(try count("\(bytes) nodes") + count("\(bytes) deltas") < 250_000)
        for (version, changed) in versions { try expectReadable(version, changed) }
        #expect(try fixture.store.verify().isClean)
    }

    @Test(arguments: [
        (10, 100, 10, true), (60, 150, 60, true), (61, 150, 61, false), (600, 10_000, 80, true),
        (1_500, 10_000, 80, false), (1_500, 10_000, 1_500, true), (0, 60, 0, true), (0, 59, 0, false),
    ])
    func `a delta saves at least a third, and does not grow past what a new base costs`(
        delta: Int, whole: Int, step: Int, isKept: Bool
    ) {
        #expect(Catalog.isWorthwhile(delta, insteadOf: whole, step: step) == isKept)
    }

    @Test func `a directory that comes back to what it was has one row`() throws {
        _ = try change(7, to: 1)
        let rows = try count("SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM deltas)")
        try fixture.store.restore(first, paths: [.root], into: fixture.workspace, force: false)
        let third = try fixture.commit()
        #expect(third.manifest.root.tree == first.manifest.root.tree)
        #expect(try count("SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM deltas)") == rows)
        try expectReadable(third, [:])
    }

    // MARK: The store's format

    @Test func `a store has format 1 until it holds a delta, and older programs refuse it then`() throws {
        #expect(try storedFormat() == 1)
        #expect(fixture.store.format.format == 1)
        try fixture.write("other", [1])
        try fixture.commit()
        #expect(try storedFormat() == 1)
        let id = fixture.store.format.id
        _ = try change(7, to: 1)
        #expect(try storedFormat() == 2)
        #expect(fixture.store.format.format == 2)
        try fixture.reopen()
        #expect(fixture.store.format.format == 2)
        #expect(fixture.store.format.id == id)
        #expect(try fixture.leftovers() == [])
    }

    @Test func `a store of release 0·1 is read as it is, and its owner adds the table`() throws {
        try fixture.sql(
            "DROP TABLE deltas; DELETE FROM grdb_migrations WHERE identifier = '3: tree nodes as deltas'")
        try fixture.close()
        let reader = try fixture.reader()
        #expect(try reader.verify().isClean)
        #expect(try reader.entry(at: DeltaTests.path(3), of: first).size == 1)
        #expect(code { _ = try reader.trees.node(Digest.of([])) } == .damaged)
        try fixture.open()
        try expectReadable(first, [:])
        // The reader was there before.
        let second = try change(7, to: 1)
        #expect(try count("SELECT count(*) FROM deltas") >= 1)
        #expect(try reader.entry(at: DeltaTests.path(7), of: second).size == 2)
        #expect(try reader.verify().isClean)
        try reader.close()
    }

    // MARK: Garbage

    @Test func `a base stays as long as a delta needs it`() throws {
        let second = try change(100, to: 1)
        try fixture.store.forget(versions: [VersionNumber(1)])
        let base = try base()
        let dry = try fixture.store.collectGarbage(dryRun: true)
        let rows = try count("SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM deltas)")
        let summary = try fixture.store.collectGarbage()
        #expect(summary == dry)
        let left = try count("SELECT (SELECT count(*) FROM nodes) + (SELECT count(*) FROM deltas)")
        #expect(left == rows - summary.nodes)
        #expect(left == summary.keptNodes)
        #expect(try fixture.store.catalog.storedNode(base) != nil)
        // It keeps no blobs.
        #expect(try fixture.store.blobs.status(Digest.of([100])) == nil)
        try fixture.reopen()
        try expectReadable(second, [100: 1])
        #expect(try fixture.store.verify().isClean)

        // With the last delta, the base goes too.
        for number in 0..<300 { try fixture.write(DeltaTests.path(number), [2, 2]) }
        let third = try fixture.commit()
        try fixture.store.forget(versions: [second.number])
        _ = try fixture.store.collectGarbage()
        #expect(try count("SELECT count(*) FROM deltas") == 0)
        #expect(try fixture.store.catalog.storedNode(base) == nil)
        #expect(try fixture.store.verify().isClean)
        try expectReadable(third, Dictionary(uniqueKeysWithValues: (0..<300).map { ($0, 2) }))
    }

    @Test func `a kept node's deltas go without it`() throws {
        _ = try change(7, to: 1)
        try fixture.store.restore(first, paths: [.root], into: fixture.workspace, force: false)
        let third = try fixture.commit()
        try fixture.store.forget(versions: [VersionNumber(2)])
        _ = try fixture.store.collectGarbage()
        #expect(try count("SELECT count(*) FROM deltas") == 0)
        try expectReadable(third, [:])
        #expect(try fixture.store.verify().isClean)
    }

    // MARK: Damage

    private func messages() throws -> [String] {
        try fixture.reopen()
        let problems = try fixture.store.verify().problems
        #expect(problems.allSatisfy { $0.kind == .node && $0.uses.allSatisfy { $0.path == "many" } })
        return problems.map(\.message)
    }

    @Test func `a damaged base is found, by itself and by what is a delta of it`() throws {
        let second = try change(7, to: 1)
        let base = try base()
        // Another byte in the last of its blobs' digests.
        try fixture.sql(
            """
            UPDATE nodes SET bytes = CAST(substr(bytes, 1, length(bytes) - 2) || x'00f6' AS BLOB)
            WHERE digest = x'\(base.hex)'
            """)
        let messages = try messages()
        #expect(messages.count == 2)
        #expect(messages.contains("the tree node's bytes do not match its digest"))
        #expect(messages.contains { $0.contains("delta of \(base.hex)") && $0.contains("damaged") })
        let refused = code { try expectReadable(second, [7: 1]) }
        #expect(refused == .damaged)
    }

    @Test func `a base that is missing is named, and one that no version has as well`() throws {
        _ = try change(7, to: 1)
        let base = try base()
        try fixture.store.forget(versions: [VersionNumber(1)])
        try fixture.sql("DELETE FROM nodes WHERE digest = x'\(base.hex)'")
        let messages = try messages()
        #expect(messages == ["a tree node is kept as a delta of \(base.hex), which is missing"])
        #expect(code { _ = try fixture.store.collectGarbage() } == .damaged)
    }

    @Test func `a damaged delta is found, whether it can be read or not`() throws {
        _ = try change(7, to: 1)
        let base = try base()
        try fixture.sql("UPDATE deltas SET bytes = x'00'")
        let unreadable = try messages()
        #expect(unreadable.count == 1)
        #expect(unreadable.first?.contains("made of its base \(base.hex)") == true)
        try fixture.sql("UPDATE deltas SET bytes = x'840101008101'")
        #expect(
            try messages() == [
                "the tree node's bytes do not match its digest; it is kept as a delta of \(base.hex)"
            ])
    }

    @Test func `nothing is kept as a delta of what is damaged`() throws {
        _ = try change(7, to: 1)
        try fixture.reopen()
        let base = try base()
        // Damage that what was made of the base does not show.
        let bytes = try #require(try fixture.store.catalog.storedNode(base)).bytes(of: base)
        guard case .leaf(var entries) = try TreeNode(decoding: bytes) else { throw Errno.badFileDescriptor }
        let index = try #require(entries.firstIndex { $0.name == DeltaTests.path(7).names.last })
        entries[index].content = .blob(Digest.of([99]))
        let damaged = TreeNode.leaf(entries).encoded()
        try fixture.sql("UPDATE nodes SET bytes = x'\(Hex.encode(damaged))' WHERE digest = x'\(base.hex)'")
        let deltas = try count("SELECT count(*) FROM deltas WHERE base = x'\(base.hex)'")
        let third = try change(7, to: 3)
        #expect(try count("SELECT count(*) FROM deltas WHERE base = x'\(base.hex)'") == deltas)
        try expectReadable(third, [7: 3])
    }

    // MARK: Without Firn

    @Test func `the reader of FORMAT·md reads what is kept as a delta`() throws {
        let second = try change(7, 200, to: 1)
        let document = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../docs/FORMAT.md")
        let text = try String(contentsOf: document, encoding: .utf8)
        let script = try #require(text.split(separator: "```python\n").last?.split(separator: "```").first)
        let (program, target) = (
            fixture.directory.appending("read_version.py"), fixture.directory.appending("out")
        )
        try Data(script.utf8).write(to: URL(fileURLWithPath: program))
        let outcome = try Shell.run(
            "/usr/bin/env", "python3", program, fixture.path, "\(second.number.value)", target)
        try #require(outcome.status == 0, "\(outcome.text)")
        for number in 0..<300 {
            let path = "\(target)/\(DeltaTests.path(number).display)"
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            #expect(bytes == ([7, 200].contains(number) ? [1, 1] : [UInt8(number % 256)]))
        }
    }
}
