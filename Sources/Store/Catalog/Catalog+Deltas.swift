internal import Foundation
internal import GRDB
internal import Objects

/// What the catalog keeps of a tree node in place of its bytes.
struct NodeDelta: Hashable, Sendable {
    /// A node that is kept whole.
    let base: Digest
    /// See ``TreeNodeDelta``.
    let bytes: [UInt8]
}

/// What the catalog has of a tree node.
enum StoredNode: Sendable {
    case whole([UInt8])
    /// - Parameter baseBytes: nil where the base is missing.
    case delta(NodeDelta, baseBytes: [UInt8]?)

    /// The node's bytes, which have still to be compared with its digest.
    ///
    /// - Throws: ``StoreError`` `.damaged` for a delta that leads to none, naming its base.
    func bytes(of digest: Digest) throws(StoreError) -> [UInt8] {
        switch self {
        case .whole(let bytes): return bytes
        case .delta(let delta, let baseBytes):
            guard let baseBytes else {
                throw StoreError(
                    .damaged, "a tree node is kept as a delta of \(delta.base.hex), which is missing",
                    subject: digest.hex, hint: "firn verify lists every version and path it affects")
            }
            do throws(ObjectError) { return try TreeNodeDelta.node(from: baseBytes, delta.bytes) } catch {
                throw StoreError(
                    .damaged, "a tree node cannot be made of its base \(delta.base.hex): \(error.message)",
                    subject: digest.hex, hint: "firn verify lists every version and path it affects")
            }
        }
    }
}

// Tree nodes that are kept as deltas: `docs/FORMAT.md`, "Deltas".
extension Catalog {
    /// nil where there is no such node.
    func storedNode(_ digest: Digest) throws(StoreError) -> StoredNode? {
        try readOnce { db in try storedNode(digest, db) }
    }

    private func storedNode(_ digest: Digest, _ db: Database) throws -> StoredNode? {
        let statement: Statement
        do {
            statement = try db.cachedStatement(
                sql: """
                    SELECT nodes.bytes, deltas.base, deltas.bytes, bases.bytes FROM (SELECT ? AS digest) AS wanted
                    LEFT JOIN nodes ON nodes.digest = wanted.digest
                    LEFT JOIN deltas ON deltas.digest = wanted.digest
                    LEFT JOIN nodes AS bases ON bases.digest = deltas.base
                    """)
        } catch let error as DatabaseError where error.resultCode == .SQLITE_ERROR && isReadOnly {
            // No such table. Who only reads may meet a catalog that no owner has opened since there are deltas.
            let whole = try db.cachedStatement(sql: "SELECT bytes FROM nodes WHERE digest = ?")
            return try Data.fetchOne(whole, arguments: [digest.data]).map { .whole(Array($0)) }
        }
        guard let row = try Row.fetchOne(statement, arguments: [digest.data]) else { return nil }
        if let bytes = row[0] as Data? { return .whole(Array(bytes)) }
        guard let base = row[1] as Data?, let bytes = row[2] as Data? else { return nil }
        return .delta(
            NodeDelta(base: try Digest(column: base), bytes: Array(bytes)),
            baseBytes: (row[3] as Data?).map { Array($0) })
    }

    /// Adds nodes, each to one of the two tables, where neither has it.
    func insert(
        _ nodes: [Digest: [UInt8]], _ deltas: [Digest: NodeDelta], _ db: Database
    ) throws {
        let whole = try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO nodes (digest, bytes)
                SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM deltas WHERE digest = ?1)
                """)
        let delta = try db.cachedStatement(
            sql: """
                INSERT OR IGNORE INTO deltas (digest, base, bytes)
                SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM nodes WHERE digest = ?1)
                """)
        var byteCount = 0
        for (digest, bytes) in nodes.sorted(by: { $0.key < $1.key }) {
            if let found = deltas[digest] {
                try delta.execute(arguments: [digest.data, found.base.data, Data(found.bytes)])
                byteCount += found.bytes.count
            } else {
                try whole.execute(arguments: [digest.data, Data(bytes)])
                byteCount += bytes.count
            }
        }
        noteLogged(rows: nodes.count, byteCount: byteCount)
    }

    /// Which of new nodes are to be kept as deltas.
    ///
    /// - Parameter nodes: their digests and bytes, with those of the nodes in whose place they come.
    func deltas(
        of nodes: [(digest: Digest, bytes: [UInt8], predecessor: Digest)]
    ) throws(StoreError) -> [Digest: NodeDelta] {
        if nodes.isEmpty { return [:] }
        return try read { db in
            var deltas: [Digest: NodeDelta] = [:]
            for node in nodes {
                // What is new for this version too has no row to start from.
                guard let stored = try storedNode(node.predecessor, db) else { continue }
                deltas[node.digest] = Catalog.delta(of: node.bytes, from: node.predecessor, stored)
            }
            return deltas
        }
    }

    /// - Returns: nil where the node is to be kept whole: it has too little in common with the base, or the base is
    ///   damaged, of which others tell.
    private static func delta(
        of node: [UInt8], from predecessor: Digest, _ stored: StoredNode
    ) -> NodeDelta? {
        guard let old = try? stored.bytes(of: predecessor), Digest.of(old) == predecessor,
            let step = try? TreeNodeDelta.encoded(from: old, to: node)
        else { return nil }
        switch stored {
        case .whole:
            guard isWorthwhile(step.count, insteadOf: node.count, step: step.count) else { return nil }
            return NodeDelta(base: predecessor, bytes: step)
        case .delta(let delta, let baseBytes):
            // What was made of the base is right, but the base need not be so everywhere.
            guard let baseBytes, Digest.of(baseBytes) == delta.base,
                let bytes = try? TreeNodeDelta.encoded(from: baseBytes, to: node),
                isWorthwhile(bytes.count, insteadOf: node.count, step: step.count)
            else { return nil }
            return NodeDelta(base: delta.base, bytes: bytes)
        }
    }

    /// What a row takes beside the bytes of its node or delta: a delta's is the longer one, by a digest.
    private static let deltaRowByteCount = 40

    /// Whether a node is better kept as a delta. It must save a third, since reading takes both rows, and forgetting may
    /// leave a base that serves for nothing else.
    ///
    /// Deltas of one base grow by about a `step` with each version, until another base is cheaper: a base and the
    /// deltas of it take the least for each version if the last one has √(2 · whole · step) bytes.
    static func isWorthwhile(_ delta: Int, insteadOf whole: Int, step: Int) -> Bool {
        (delta + deltaRowByteCount) * 3 <= whole * 2 && delta * delta <= 2 * whole * step
    }
}

/// Which of the nodes that editors make are to be kept as deltas. Each is looked at once.
struct NodeDeltas: Sendable {
    private(set) var deltas: [Digest: NodeDelta] = [:]
    private var seen: Set<Digest> = []

    mutating func add(_ editor: TreeEditor, _ catalog: Catalog) throws(StoreError) {
        var new: [(digest: Digest, bytes: [UInt8], predecessor: Digest)] = []
        for (digest, predecessor) in editor.predecessors where seen.insert(digest).inserted {
            if let bytes = editor.newNodes[digest] { new.append((digest, bytes, predecessor)) }
        }
        deltas.merge(try catalog.deltas(of: new)) { first, _ in first }
    }
}
