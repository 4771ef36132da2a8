import Objects
import Store

/// A version and an entry of its tree, found in a store.
struct SealedPath {
    let version: Version
    let path: TreePath
    let entry: TreeEntry

    /// - Throws: ``StoreError`` `.unknownVersion` or `.unknownPath`, each with near matches.
    static func find(_ argument: VersionPathArgument, in store: Store) throws(StoreError) -> SealedPath {
        let version = try store.resolve(argument.version)
        let path: TreePath
        do throws(ObjectError) { path = try TreePath(argument.path.bytes) } catch { throw StoreError(error) }
        guard let entry = try store.trees.entry(at: path, below: version.manifest.root) else {
            throw try unknown(path, in: version, store)
        }
        return SealedPath(version: version, path: path, entry: entry)
    }

    private static func unknown(
        _ path: TreePath, in version: Version, _ store: Store
    ) throws(StoreError) -> StoreError {
        // The first name that leads nowhere, and what its directory has in its place.
        var directory = version.manifest.root
        var found = TreePath.root
        for name in path.names {
            guard let tree = directory.tree else { break }
            guard let next = try store.trees.entry(name, in: tree) else {
                let siblings = try store.trees.entries(in: tree).map(\.name.display)
                let near = NearMatches.of(name.display, among: siblings)
                    .map { (found.isRoot ? "" : found.display + "/") + $0 }
                return refusal(path, version, near.isEmpty ? "" : "did you mean \(near.joined(separator: ", "))?")
            }
            directory = next
            found = found.appending(name)
        }
        return refusal(path, version, "\(found.display) is not a directory")
    }

    private static func refusal(_ path: TreePath, _ version: Version, _ hint: String) -> StoreError {
        StoreError(.unknownPath, "\(version.number) has no such path", subject: path.display, hint: hint)
    }
}
