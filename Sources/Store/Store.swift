internal import Foundation
internal import Glibc
public import Objects
internal import SystemPackage

/// A store: the directory that holds all sealed versions and what is staged. Layout: `docs/FORMAT.md`.
///
/// One process owns a store and may change it; any number may read it at the same time. All calls are
/// synchronous and safe from any thread.
public final class Store: Sendable {
    public enum Access: Hashable, Sendable {
        /// Reads what is sealed, beside an owner or without one.
        case reading
        /// Changes things; at most one process at a time.
        case owning
    }

    /// The absolute path, for messages and for what is put beside the store's own files.
    public let path: String
    public let access: Access
    public let blobs: BlobStore
    public let trees: TreeStore

    let catalog: Catalog
    let root: Descriptor
    let temporary: TemporaryDirectory
    /// What a failed sync leaves to be known.
    public let lostWrites: LostWrites
    let now: @Sendable () -> Timestamp
    /// What firn.json says.
    let currentFormat: Lock<StoreFormat>
    /// Held while something runs that two must not do at once: a commit, gc, a change of staging as a whole.
    let exclusive = Lock(String?.none)
    /// New objects that are still to be protected.
    let protecting: Afterwork
    /// The workspaces in use: there is one object for each, since its gate and its tracker must be one.
    private let workspaces = Lock<[String: OpenWorkspace]>([:])
    /// nil for a reader.
    private let ownership: Ownership?

    /// The open lock file by which this process owns the store; nil for a reader. As long as another process has
    /// it open as well, ownership outlives this one.
    public var lock: Descriptor? { ownership?.file }

    private static let lockName = RawPath("lock")
    private static let directoryNames = ["objects", "workspaces", "tmp"]

    // MARK: Making and opening

    /// Makes a new, empty store at `path`, which must not exist or be an empty directory.
    public static func create(at path: String, now: Timestamp) throws(StoreError) {
        let raw = RawPath(path)
        do throws(Errno) {
            do throws(Errno) { try Syscall.makeDirectory(at: AT_FDCWD, raw, mode: 0o700) } catch {
                if error != .fileExists { throw error }
            }
            let root = try Syscall.open(at: AT_FDCWD, raw, O_RDONLY | O_DIRECTORY)
            let names = try Syscall.names(at: root.fd, .here)
            if names.contains(where: { $0.display == "firn.json" }) {
                throw Errno.fileExists
            }
            for name in names {
                guard try mayPrecede(name, in: root) else { throw Errno.directoryNotEmpty }
            }
            try Store.requireAttributes(root)
            for name in directoryNames where !names.contains(where: { $0.display == name }) {
                try Syscall.makeDirectory(at: root.fd, RawPath(name), mode: 0o755)
            }
            try Store.write(
                StoreFormat(id: UUID().uuidString.lowercased(), created: now).encoded(), to: root)
            try Store.syncParent(of: root)
        } catch {
            switch error {
            case .fileExists:
                throw StoreError(
                    .alreadyAStore, "there is a store here already", subject: path,
                    hint: "mount it with: firn mount \(path) MOUNT")
            case .directoryNotEmpty:
                throw StoreError(
                    .invalidInput, "the directory is not empty", subject: path,
                    hint: "give a new or an empty directory")
            case .notSupported:
                throw StoreError(
                    .invalidInput, "the filesystem has no user extended attributes, which staging needs",
                    subject: path, hint: "use ext4, XFS or btrfs")
            case .noSuchFileOrDirectory:
                throw StoreError(
                    .system(error), "the directory that is to hold the store does not exist", subject: path,
                    hint: "make it first: mkdir -p")
            case .notDirectory:
                throw StoreError(
                    .system(error), "this is a file, or leads through one; a store is a directory",
                    subject: path,
                    hint: "give a new or an empty directory")
            case .permissionDenied:
                throw StoreError(
                    .system(error), "this user may not make a store here: \(error)", subject: path,
                    hint: "choose another place, or have root make an empty directory that is yours")
            default: throw StoreError(error, doing: "make a store", subject: path)
            }
        }
        // The catalog and the first workspace are made by the first owner; being one now shows that it works.
        do throws(StoreError) { try Store.open(at: path, .owning).close() } catch {
            unmake(path)
            throw error
        }
    }

    /// Leaves no store where one could not be made whole, unless it is another process's by now. What cannot be removed,
    /// the first owner finishes.
    private static func unmake(_ path: String) {
        // The error that is on its way says why it could not be made.
        guard let root = try? Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY),
            let ownership = try? takeOwnership(root, path, nil)
        else { return }
        let files = ["-journal", "-wal", "-shm", ""].map { RawPath("catalog.db\($0)") }
        // First that by which it is a store: a new owner looks for it once more.
        for name in [StoreFormat.fileName] + files + [lockName] { try? Syscall.unlink(at: root.fd, name) }
        withExtendedLifetime(ownership) {}
    }

    /// Whether a store may be made beside `name`: what a new filesystem has, or what making a store left behind
    /// when it was interrupted.
    private static func mayPrecede(_ name: FileName, in root: Descriptor) throws(Errno) -> Bool {
        if name.display == "lost+found" { return true }
        guard directoryNames.contains(name.display) else { return false }
        do throws(Errno) {
            let held = try Syscall.names(at: root.fd, RawPath(name))
            return held.allSatisfy { name.display == "tmp" && $0.display == "firn.json" }
        } catch {
            if error == .notDirectory || error == .tooManySymbolicLinkLevels { return false }
            throw error
        }
    }

    /// Makes the name of a new directory durable.
    private static func syncParent(of directory: Descriptor) throws(Errno) {
        do throws(Errno) {
            // By way of /proc: beneath a descriptor nothing leads up.
            let above = RawPath(Syscall.path(of: directory).bytes + Array("/..".utf8))
            try Syscall.syncDirectory(at: AT_FDCWD, above)
        } catch {
            // Who may not read the directory above cannot sync it alone.
            guard error == .permissionDenied else { throw error }
            try Syscall.syncFilesystem(directory.fd)
        }
    }

    private static func requireAttributes(_ root: Descriptor) throws(Errno) {
        try Syscall.setAttribute(root.fd, UpperMark.name, [0])
        try Syscall.removeAttribute(root.fd, UpperMark.name)
    }

    /// A file on the filesystem that has all bytes of versions and of staging, to try what the system does with it.
    public func sampleFile() throws(StoreError) -> Descriptor {
        try system("open", path) { () throws(Errno) in
            try Syscall.open(at: root.fd, StoreFormat.fileName, O_RDONLY)
        }
    }

    /// Opens the store at `path`.
    ///
    /// An owner also empties `tmp/`; each workspace, when it is opened, finishes what a crash interrupted.
    ///
    /// - Parameters:
    ///   - now: the clock; versions carry its time.
    ///   - lock: ``lock`` of an owner that has died, kept open by another process: ownership was never given up.
    ///   - finishesLater: whether calls return when what they are for is durable, and what is left to tidy up is done
    ///     while others go on. ``close()`` waits for it.
    /// - Throws: ``StoreError`` `.notAStore`, `.newerFormat`, `.busy` when another process owns it.
    public static func open(
        at path: String, _ access: Access, now: @escaping @Sendable () -> Timestamp = Store.clock,
        lock: Descriptor? = nil, finishesLater: Bool = false
    ) throws(StoreError) -> Store {
        func opened(_ access: Access) throws(StoreError) -> Store {
            try Store(path: path, access: access, now: now, lock: lock, finishesLater: finishesLater)
        }
        do throws(StoreError) { return try opened(access) } catch {
            guard access == .reading, isUnused(path) else { throw error }
            // Making it may have been cut short before its catalog was whole, which an owner finishes.
            try opened(.owning).close()
            return try opened(access)
        }
    }

    /// Whether nothing was ever sealed or staged, so that there is no catalog to be missed.
    private static func isUnused(_ path: String) -> Bool {
        // A directory that cannot be listed may hold something.
        ["objects", "workspaces"].allSatisfy { name in
            (try? Syscall.names(at: AT_FDCWD, RawPath("\(path)/\(name)")))?.isEmpty == true
        }
    }

    /// The system's clock.
    public static let clock: @Sendable () -> Timestamp = { Timestamp.currentForNewDirectory }

    private init(
        path: String, access: Access, now: @escaping @Sendable () -> Timestamp, lock: Descriptor?,
        finishesLater: Bool
    ) throws(StoreError) {
        let root: Descriptor
        do throws(Errno) {
            root = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        } catch {
            guard error == .noSuchFileOrDirectory || error == .notDirectory else {
                throw StoreError(error, doing: "open the store", subject: path)
            }
            throw StoreError(
                .notAStore,
                error == .notDirectory
                    ? "this is a file, and a store is a directory" : "there is no store here",
                subject: path, hint: "make one in a new directory with: firn init DIRECTORY")
        }
        let format = try Store.readFormat(root, path)
        self.path = Store.absolute(path)
        self.access = access
        self.root = root
        currentFormat = Lock(format)
        self.now = now
        ownership = access == .owning ? try Store.takeOwnership(root, path, lock) : nil
        // Who could not make it whole may have taken it away since.
        if ownership != nil { _ = try Store.readFormat(root, path) }
        let objects = try Store.openPart("objects", of: root, path)
        temporary = TemporaryDirectory(
            try Store.openPart("tmp", of: root, path), isEmptiedLater: finishesLater)
        protecting = Afterwork(isLater: finishesLater)
        lostWrites = try system("open", path) { () throws(Errno) in try LostWrites(root) }
        blobs = BlobStore(objects: objects, temporary: temporary, lostWrites: lostWrites)
        let catalog = try Catalog(path: self.path + "/catalog.db", isReadOnly: access == .reading)
        self.catalog = catalog
        trees = TreeStore { digest throws(StoreError) in try catalog.nodeBytes(digest) }
        if access == .owning {
            try self.temporary.empty()
            let empty = TreeNode.empty.encoded()
            try catalog.keep([Digest.of(empty): empty])
        }
    }

    /// Opens a directory of the store's own. What lies behind a symlink is somebody else's.
    private static func openPart(
        _ name: String, of root: Descriptor, _ path: String
    ) throws(StoreError) -> Descriptor {
        do throws(Errno) {
            return try Syscall.open(at: root.fd, RawPath(name), O_RDONLY | O_DIRECTORY)
        } catch {
            guard error == .tooManySymbolicLinkLevels || error == .notDirectory else {
                throw StoreError(error, doing: "open", subject: "\(path)/\(name)")
            }
            throw StoreError(
                .damaged, "it is no directory of the store, but a symlink or a file",
                subject: "\(path)/\(name)",
                hint: "put the store's own directory back in its place; a store lies on one filesystem")
        }
    }

    private static func takeOwnership(
        _ root: Descriptor, _ path: String, _ inherited: Descriptor?
    ) throws(StoreError) -> Ownership {
        do throws(Errno) {
            let file: Descriptor
            if let inherited {
                file = inherited
            } else {
                file = try Syscall.open(at: root.fd, lockName, O_RDWR | O_CREAT, mode: 0o600)
            }
            try Syscall.lock(file.fd, exclusive: true)
            let ownership = Ownership(file)
            do throws(Errno) {
                try Syscall.truncate(file.fd, to: 0)
                let text = Array("\(getpid())\n".utf8)
                _ = try text.withRawBytes { text throws(Errno) in try Syscall.write(file.fd, text, at: 0) }
            } catch {
                // Whose it is, is for messages only; a full disk must not end a mount whose daemon has died.
                guard error == .noSpace || error == .diskQuotaExceeded else { throw error }
            }
            return ownership
        } catch {
            guard error == .wouldBlock else {
                throw StoreError(error, doing: "lock the store", subject: path)
            }
            let owner = ownerProcess(root).map { " (process \($0))" } ?? ""
            throw StoreError(
                .busy, "another process owns the store\(owner)", subject: path,
                hint: "it is mounted or being changed; only one process may own it at a time")
        }
    }

    /// The lock of ownership, given back with the last reference. Closing the file would not do: a child that has
    /// been forked and has not yet called exec shares it.
    private final class Ownership: Sendable {
        let file: Descriptor

        init(_ locked: Descriptor) {
            file = locked
        }

        deinit { Syscall.unlock(file.fd) }
    }

    /// For a message only, so nil where it cannot be read.
    private static func ownerProcess(_ root: Descriptor) -> Int32? {
        guard let file = try? Syscall.open(at: root.fd, lockName, O_RDONLY) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = buffer.withMutableRawBytes { (try? Syscall.read(file.fd, into: $0, at: 0)) ?? 0 }
        return Int32(String(decoding: buffer.prefix(count), as: UTF8.self).filter(\.isNumber))
    }

    private static func absolute(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Closes the catalog. Nothing of the store may be used afterwards; ownership ends with the last reference.
    public func close() throws(StoreError) {
        protecting.finish()
        temporary.finish()
        try catalog.close()
    }

    // MARK: Parts

    /// Opens a workspace; for an owner, makes it if there is none and finishes what a crash interrupted. A
    /// reader changes nothing: an owner may be at work on it.
    ///
    /// - Returns: the same object as long as anyone has it.
    /// - Throws: ``StoreError`` `.invalidInput` for a name that no workspace can have.
    public func workspace(_ name: String = "main") throws(StoreError) -> Workspace {
        guard FileName.isValid(Array(name.utf8)) else {
            throw StoreError(.invalidInput, "not a workspace's name", subject: name)
        }
        return try workspaces.withLock { open throws(StoreError) in
            if let workspace = open[name]?.workspace { return workspace }
            let workspace = try openWorkspace(name)
            open[name] = OpenWorkspace(workspace: workspace)
            return workspace
        }
    }

    private struct OpenWorkspace {
        weak var workspace: Workspace?
    }

    private func openWorkspace(_ name: String) throws(StoreError) -> Workspace {
        let isReadOnly = access == .reading
        let part = "workspaces/" + name
        try system("open the workspace", name) { () throws(Errno) in
            if !isReadOnly, try Syscall.statIfPresent(at: root.fd, RawPath(part)) == nil {
                try Syscall.makeDirectory(at: root.fd, RawPath(part), mode: 0o755)
            }
            // Not only where it was made just now: who made it may have been killed before this.
            if !isReadOnly { try Syscall.syncDirectory(at: root.fd, RawPath("workspaces")) }
        }
        let directory = try Store.openPart(part, of: root, path)
        let overlay = Overlay(temporary: temporary, blobs: blobs)
        if isReadOnly { return try Workspace(reading: name, in: directory, overlay: overlay) }
        return try Workspace(
            name, in: directory, overlay: overlay, emptyTree: Digest.of(TreeNode.empty.encoded()),
            sealing: { generation throws(StoreError) in
                try catalog.version(workspace: name, generation: generation)
            }, isKnown: { digest throws(StoreError) in try !catalog.knownBlobs([digest]).isEmpty })
    }

    /// The names of all workspaces, in order.
    public func workspaceNames() throws(StoreError) -> [String] {
        try system("list", "workspaces/") { () throws(Errno) in
            try Syscall.names(at: root.fd, RawPath("workspaces"))
        }.map(\.display).sorted()
    }

    /// Free and total bytes of the filesystem the store lies on, and its other limits.
    public func filesystemStatus() throws(StoreError) -> FilesystemStatus {
        try system("look at the filesystem of", path) { () throws(Errno) in
            FilesystemStatus(try Syscall.filesystemStatus(root.fd))
        }
    }

    /// Makes everything that was written on the store's filesystem durable.
    func syncFilesystem(function: StaticString = #function) throws(StoreError) {
        try system("sync", path) { () throws(Errno) in
            try lostWrites.watching { () throws(Errno) in
                try Syscall.syncFilesystem(root.fd, function: function)
            }
        }
    }

    /// Runs `body` unless something else of its kind runs.
    ///
    /// - Throws: ``StoreError`` `.busy`, naming what runs.
    func exclusively<Result>(
        _ what: String, _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let running = exclusive.withLock { current in
            if current == nil {
                current = what
                return String?.none
            }
            return current
        }
        if let running {
            throw StoreError(
                .busy, "a \(running) is running", subject: what, hint: "try again when it is done")
        }
        defer { exclusive.withLock { $0 = nil } }
        // What is protected must still be the object that it was when that was asked for, and a swap durable before
        // there is another.
        protecting.finish()
        return try body()
    }
}
