public import Objects

/// How much lies at and below a path of a version.
public struct Usage: Hashable, Sendable {
    public let path: TreePath
    public let kind: EntryKind
    /// Entries that are not directories.
    public let files: UInt64
    /// Sum of the sizes of all files and symlinks, as `du --apparent-size`.
    public let bytes: UInt64

    init(_ path: TreePath, _ entry: TreeEntry) {
        self.path = path
        kind = entry.kind
        files = entry.files
        bytes = entry.size
    }
}

extension Store {
    /// The sums over `path` and over each directory below it, down to `depth` levels, parents before children and
    /// in order of name. Reads no more than those levels: trees carry their sums.
    ///
    /// - Throws: ``StoreError`` `.unknownPath`
    public func usage(
        _ version: Version, path: TreePath, depth: Int = 0
    ) throws(StoreError) -> [Usage] {
        var result: [Usage] = []
        try addUsage(of: try entry(at: path, of: version), at: path, depth: depth, to: &result)
        return result
    }

    private func addUsage(
        of entry: TreeEntry, at path: TreePath, depth: Int, to result: inout [Usage]
    ) throws(StoreError) {
        result.append(Usage(path, entry))
        guard depth > 0, let tree = entry.tree else { return }
        for child in try trees.entries(in: tree) where child.kind == .directory {
            try addUsage(of: child, at: path.appending(child.name), depth: depth - 1, to: &result)
        }
    }
}
