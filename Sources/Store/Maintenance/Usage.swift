public import Objects

/// How much lies below one path of a version.
public struct Usage: Hashable, Sendable {
    public let path: TreePath
    public let kind: EntryKind
    /// Sum of the sizes of all files, in bytes, as `du --apparent-size` counts them.
    public let bytes: UInt64
    /// Entries that are not directories.
    public let files: UInt64
}

extension Store {
    /// The usage of `path` and of each entry in it, by the sums that tree nodes carry: nothing is walked.
    ///
    /// - Returns: the entries in order of name, and the whole last.
    /// - Throws: ``StoreError`` `.unknownPath`.
    public func usage(_ version: Version, _ path: TreePath) throws(StoreError) -> [Usage] {
        let entry = try entry(at: path, of: version)
        var result: [Usage] = []
        if let tree = entry.tree {
            result = try trees.entries(in: tree).map {
                Usage(path: path.appending($0.name), kind: $0.kind, bytes: $0.size, files: $0.files)
            }
        }
        return result + [Usage(path: path, kind: entry.kind, bytes: entry.size, files: entry.files)]
    }
}
