internal import Glibc
public import Objects
internal import SystemPackage

/// What an export wrote.
public struct ExportSummary: Hashable, Sendable {
    /// Regular files.
    public var files = 0
    public var directories = 0
    /// Symlinks, fifos, sockets and devices.
    public var others = 0
    /// Sum of the sizes of the files.
    public var bytes: UInt64 = 0
    /// What the format cannot hold: sockets, in a tar archive.
    public var skipped: [TreePath] = []

    public init() {}

    mutating func count(_ entry: TreeEntry) {
        switch entry.kind {
        case .file:
            files += 1
            bytes &+= entry.size
        case .directory: directories += 1
        case .symlink, .fifo, .socket, .characterDevice, .blockDevice: others += 1
        }
    }
}

extension Store {
    /// Copies what a version has at `path` into a directory, exactly: modes, owners (when privileged), times,
    /// extended attributes and holes. What lies in a directory of the version comes to lie in the target; a file
    /// comes to lie in it under its own name. Durable when this returns.
    ///
    /// - Parameters:
    ///   - target: must not exist, or be an empty directory.
    ///   - progress: counts bytes.
    /// - Throws: ``StoreError`` `.unknownPath`, `.invalidInput` for a target that is not empty, `.damaged`, or the
    ///   system's error with the path. The target is then as it was.
    public func export(
        _ version: Version, path: TreePath, toDirectory target: String, progress: Progress = .none
    ) throws(StoreError) -> ExportSummary {
        let entry = try entry(at: path, of: version)
        let (directory, isNew) = try ExportTarget.open(target)
        progress.begin("exporting", total: entry.size)
        var export = DirectoryExport(self, progress)
        do throws(StoreError) {
            let top = Place(directory: directory, path: .here)
            if entry.kind == .directory {
                try export.fill(top, with: entry, path)
            } else {
                try export.item(entry, at: try top.child(entry.name), path)
            }
            try system("sync", target) { () throws(Errno) in try Syscall.syncFilesystem(directory.fd) }
        } catch {
            ExportTarget.clear(target, directory, isNew: isNew)
            throw error
        }
        return export.summary
    }
}

/// The directory that is exported to.
private enum ExportTarget {
    static func open(_ path: String) throws(StoreError) -> (Descriptor, isNew: Bool) {
        let (directory, isNew) = try system("export to", path) { () throws(Errno) in
            var isNew = true
            do throws(Errno) { try Syscall.makeDirectory(at: AT_FDCWD, RawPath(path), mode: 0o700) } catch {
                guard error == .fileExists else { throw error }
                isNew = false
            }
            return (try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY), isNew)
        }
        let names = try system("export to", path) { () throws(Errno) in
            try Syscall.names(at: directory.fd, .here)
        }
        guard names.isEmpty else {
            throw StoreError(
                .invalidInput, "the directory is not empty", subject: path,
                hint: "give a directory that is empty or does not exist")
        }
        return (directory, isNew)
    }

    /// Takes away what was written. What cannot be removed stays: the error that is on its way says more.
    static func clear(_ path: String, _ directory: Descriptor, isNew: Bool) {
        let names = (try? Syscall.names(at: directory.fd, .here)) ?? []
        for name in names { try? RemoveTree.remove(RawPath(name), at: directory) }
        if isNew { try? Syscall.removeDirectory(at: AT_FDCWD, RawPath(path)) }
    }
}

/// Writes a tree as files.
private struct DirectoryExport {
    private let store: Store
    private let progress: Progress
    private let writer = EntryWriter()
    private(set) var summary = ExportSummary()

    init(_ store: Store, _ progress: Progress) {
        self.store = store
        self.progress = progress
    }

    /// Makes the directory at `place` the one that `entry` is.
    mutating func fill(_ place: Place, with entry: TreeEntry, _ path: TreePath) throws(StoreError) {
        // Not by recursion: the depth of a tree is the user's.
        var levels = [try open(entry, at: place, path)]
        while let last = levels.indices.last {
            guard let child = levels[last].entries.popFirst() else {
                let level = levels.removeLast()
                // Its time last of all, after what is in it.
                try writer.dress(level.place, as: level.entry, mark: nil, subject: level.path.display)
                summary.count(level.entry)
                continue
            }
            let childPlace = try levels[last].place.child(child.name)
            let childPath = levels[last].path.appending(child.name)
            if child.kind == .directory {
                try writer.make(child, at: childPlace)
                levels.append(try open(child, at: childPlace, childPath))
            } else {
                try item(child, at: childPlace, childPath)
            }
        }
    }

    /// A directory on the way to what is written.
    private struct Level {
        let entry: TreeEntry
        let place: Place
        let path: TreePath
        /// What is still to be written.
        var entries: ArraySlice<TreeEntry>
    }

    private func open(_ entry: TreeEntry, at place: Place, _ path: TreePath) throws(StoreError) -> Level {
        guard let tree = entry.tree else { preconditionFailure("only of directories") }
        return Level(entry: entry, place: place, path: path, entries: try store.trees.entries(in: tree)[...])
    }

    /// Writes what is no directory.
    mutating func item(_ entry: TreeEntry, at place: Place, _ path: TreePath) throws(StoreError) {
        do throws(StoreError) {
            if let blob = entry.blob {
                try file(entry, blob, at: place, path)
            } else {
                try writer.make(entry, at: place)
            }
            try writer.dress(place, as: entry, mark: nil, subject: path.display)
        } catch {
            // An object is named by its digest; who exports knows paths.
            guard error.code == .damaged, error.subject != path.display else { throw error }
            throw StoreError(
                .damaged, "\(error.message) (\(error.subject))", subject: path.display, hint: error.hint)
        }
        summary.count(entry)
    }

    private func file(
        _ entry: TreeEntry, _ blob: Digest, at place: Place, _ path: TreePath
    ) throws(StoreError) {
        let source = try store.blobs.open(blob, size: entry.size)
        let target = try system("create", path.display) { () throws(Errno) in
            try Syscall.open(at: place.fd, place.path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
        let progress = progress
        try FileCopy.contents(of: source.fd, to: target.fd, subject: path.display) { progress.advance($0) }
    }
}
