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
        let path = try argument.path.treePath()
        return SealedPath(version: version, path: path, entry: try store.entry(at: path, of: version))
    }
}

extension PathArgument {
    /// As a path below some root.
    ///
    /// - Throws: ``StoreError`` `.invalidInput`
    func treePath() throws(StoreError) -> TreePath {
        do throws(ObjectError) { return try TreePath(bytes) } catch { throw StoreError(error) }
    }
}
