internal import Glibc
public import Objects
internal import SystemPackage

/// What an import brought in.
public struct ImportSummary: Hashable, Sendable {
    /// Regular files, by name.
    public var files = 0
    /// With the one that was named.
    public var directories = 0
    /// Symlinks, fifos, sockets and devices.
    public var others = 0
    /// Sum of the sizes of files that were copied; hard links count once.
    public var bytes: UInt64 = 0

    public init() {}

    mutating func count(_ kind: EntryKind) {
        if kind == .file { files += 1 } else { others += 1 }
    }
}

extension Store {
    /// Copies a directory of any filesystem into staging, in place of what staging shows at `path`.
    ///
    /// The copy is made aside and durable before it is placed in one step: an import that fails or is killed
    /// changes nothing.
    ///
    /// - Parameters:
    ///   - source: the directory's path; what it holds becomes what `path` holds.
    ///   - force: whether staged changes at `path` may be lost.
    ///   - progress: counts bytes.
    ///   - replaced: as for ``graft(_:at:into:force:replaced:)``.
    /// - Throws: ``StoreError`` `.stagedChanges`; `.busy` for a file that changes while it is copied; `.system`
    ///   with the path for one that vanishes or cannot be read; `.invalidInput` for a source that is no
    ///   directory or holds the store.
    public func importTree(
        from source: String, at path: TreePath, into workspace: Workspace, force: Bool,
        progress: Progress = .none,
        replaced: ([TreePath]) throws(StoreError) -> Void = { _ in }
    ) throws(StoreError) -> ImportSummary {
        // Asked again when it is placed; but a long copy should not be refused at its end.
        if !force { try requireNothingStaged(workspace, at: [path]) }
        let from = try openSource(source)
        let name = temporary.name()
        do throws(StoreError) {
            let store = try system("look at", self.path) { () throws(Errno) in try Syscall.stat(root.fd) }
            var copy = TreeCopy(into: TreeCopy.FileIdentity(store), progress: progress)
            progress.begin("importing", total: try copy.byteCount(below: from))
            try copy.directory(from, to: temporary.place(name))
            try syncFilesystem()
            try graft(name, at: path, into: workspace, force: force, replaced: replaced)
            return copy.summary
        } catch {
            temporary.discard(name)
            throw error
        }
    }

    private func openSource(_ source: String) throws(StoreError) -> Place {
        do throws(Errno) {
            let directory = try Syscall.open(at: AT_FDCWD, RawPath(source), O_RDONLY | O_DIRECTORY)
            return Place(directory: directory, path: .here)
        } catch {
            guard error == .notDirectory else {
                throw StoreError(error, doing: "open the directory", subject: source)
            }
            throw StoreError(
                .invalidInput, "not a directory", subject: source,
                hint: "give the directory that holds the file")
        }
    }
}
