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

    /// Takes back what was counted of something that is replaced.
    mutating func discount(_ kind: EntryKind) {
        if kind == .file { files -= 1 } else { others -= 1 }
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
    ///   - replaced: as for ``graft(_:at:into:force:replaced:opened:)``.
    ///   - opened: the same.
    /// - Throws: ``StoreError`` `.stagedChanges`; `.busy` for a file that changes while it is copied; `.system`
    ///   with the path for one that vanishes or cannot be read; `.invalidInput` for a source that is no
    ///   directory or holds the store.
    public func importTree(
        from source: RawPath, at path: TreePath, into workspace: Workspace, force: Bool,
        progress: Progress = .none,
        replaced: ([TreePath]) throws(StoreError) -> Void = { _ in }, opened: () -> Void = {}
    ) throws(StoreError) -> ImportSummary {
        // Asked again when it is placed; but a long copy should not be refused at its end.
        if !force { try requireNothingStaged(workspace, at: [path]) }
        let from = try openSource(source)
        return try placed(at: path, into: workspace, force: force, replaced, opened) {
            target throws(StoreError) in
            let store = try system("look at", self.path) { () throws(Errno) in try Syscall.stat(root.fd) }
            var copy = TreeCopy(into: TreeCopy.FileIdentity(store), progress: progress)
            progress.begin("importing", total: try copy.byteCount(below: from))
            try copy.directory(from, to: target)
            return copy.summary
        }
    }

    /// Unpacks a tar archive, plain or compressed with gzip or zstd, into staging, in place of what staging shows
    /// at `path`. It is made aside and placed as ``importTree(from:at:into:force:progress:replaced:opened:)`` does.
    ///
    /// - Parameters:
    ///   - archive: read in order from where it stands, so it may be a pipe; not closed.
    ///   - name: the archive's, for messages.
    ///   - progress: counts bytes of the archive; of a pipe it is not known how many there will be.
    /// - Throws: ``StoreError`` `.invalidInput`, with the entry's name, for an entry that would reach outside of
    ///   the directory or that no filesystem can hold, and for bytes that are no whole archive; `.stagedChanges`;
    ///   or the system's error.
    public func importArchive(
        from archive: Descriptor, named name: String, at path: TreePath, into workspace: Workspace,
        force: Bool, progress: Progress = .none,
        replaced: ([TreePath]) throws(StoreError) -> Void = { _ in }, opened: () -> Void = {}
    ) throws(StoreError) -> ImportSummary {
        if !force { try requireNothingStaged(workspace, at: [path]) }
        let status = try system("look at", name) { () throws(Errno) in try Syscall.stat(archive.fd) }
        return try placed(at: path, into: workspace, force: force, replaced, opened) {
            target throws(StoreError) in
            let isFile = status.st_mode & S_IFMT == S_IFREG
            progress.begin("importing", total: isFile ? UInt64(status.st_size) : 0)
            var unpacking = TarImport(
                try TarReader(archive.fd, name), now: now(), progress: progress)
            try unpacking.unpack(into: target)
            return unpacking.summary
        }
    }

    /// Has `make` make something in `tmp/`, makes it durable and puts it at `path`; or takes it away.
    private func placed(
        at path: TreePath, into workspace: Workspace, force: Bool,
        _ replaced: ([TreePath]) throws(StoreError) -> Void, _ opened: () -> Void,
        _ make: (Place) throws(StoreError) -> ImportSummary
    ) throws(StoreError) -> ImportSummary {
        let name = temporary.name()
        do throws(StoreError) {
            let summary = try make(temporary.place(name))
            try syncFilesystem()
            try graft(name, at: path, into: workspace, force: force, replaced: replaced, opened: opened)
            return summary
        } catch {
            temporary.discard(name)
            throw error
        }
    }

    private func openSource(_ source: RawPath) throws(StoreError) -> Place {
        do throws(Errno) {
            let directory = try Syscall.open(at: AT_FDCWD, source, O_RDONLY | O_DIRECTORY)
            return Place(directory: directory, path: .here)
        } catch {
            guard error == .notDirectory else {
                throw StoreError(error, doing: "open the directory", subject: source.display)
            }
            throw StoreError(
                .invalidInput, "not a directory", subject: source.display,
                hint: "give the directory that holds the file, or a tar archive")
        }
    }
}
