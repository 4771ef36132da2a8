import Objects
import TestSupport

@testable import Store

/// Trees without a catalog.
final class MemoryTrees: Sendable {
    private let nodes = Lock<[Digest: [UInt8]]>([:])

    var store: TreeStore {
        TreeStore { digest throws(StoreError) in
            guard let bytes = self.nodes.withLock({ $0[digest] }) else {
                throw StoreError(.damaged, "no such node", subject: digest.hex)
            }
            return bytes
        }
    }

    var count: Int { nodes.withLock { $0.count } }

    /// Edits a directory and keeps the new nodes.
    func edit(
        _ base: Digest?, _ changes: [FileName: TreeChange]
    ) throws -> (summary: TreeSummary, newNodes: Set<Digest>) {
        var editor = TreeEditor(store)
        let summary = try editor.edit(base, changes)
        let known = nodes.withLock { known in
            let before = Set(known.keys)
            known.merge(editor.newNodes) { first, _ in first }
            return before
        }
        return (summary, Set(editor.newNodes.keys).subtracting(known))
    }

    func build(_ entries: some Sequence<TreeEntry>) throws -> TreeSummary {
        let changes = entries.map { ($0.name, TreeChange.set($0)) }
        return try edit(nil, Dictionary(uniqueKeysWithValues: changes)).summary
    }

    /// A tree from paths and bytes; directories that are not named are made.
    func tree(_ files: [TreePath: TreeEntry]) throws -> TreeEntry {
        var entries: [TreeEntry] = []
        for (name, group) in Dictionary(grouping: files, by: { $0.key.names[0] }) {
            if let file = group.first(where: { $0.key.names.count == 1 }), file.value.kind != .directory {
                var entry = file.value
                entry.name = name
                entries.append(entry)
                continue
            }
            let below = group.filter { $0.key.names.count > 1 }.map {
                (TreePath(names: Array($0.key.names.dropFirst())), $0.value)
            }
            var entry = try tree(Dictionary(uniqueKeysWithValues: below))
            entry.name = name
            if let own = group.first(where: { $0.key.names.count == 1 })?.value { entry.mode = own.mode }
            entries.append(entry)
        }
        return directory(.root, try build(entries))
    }

    func directory(_ name: FileName, _ summary: TreeSummary) -> TreeEntry {
        TreeEntry(
            name: name, kind: .directory, mode: 0o755, uid: 0, gid: 0, size: summary.bytes,
            mtime: Timestamp(nanoseconds: 7), content: .tree(summary.digest, files: summary.files))
    }
}

extension TreeEntry {
    /// A file whose bytes are those of `content`.
    static func file(_ name: FileName, _ content: Int) -> TreeEntry {
        let bytes = Array(String(content).utf8)
        return TreeEntry(
            name: name, kind: .file, mode: 0o644, uid: 0, gid: 0, size: UInt64(bytes.count),
            mtime: Timestamp(nanoseconds: 1), content: .blob(Digest.of(bytes)))
    }
}

extension FileName {
    init(_ text: String) { self.init(unchecked: Array(text.utf8)) }
}
