internal import Glibc
internal import Objects
internal import SystemPackage

/// What to do with files that a program can still write to when a version is sealed.
public enum OpenFilesPolicy: Hashable, Sendable {
    /// Capture what is there at that moment; the file stays staged as well.
    case include
    /// Leave it staged for the next version; this one has what the base has.
    case skip
    /// Wait until there are none; fail after so many seconds.
    case wait(seconds: Int)
    /// Fail at once.
    case fail

    /// Reads `include`, `skip`, `wait`, `wait=SECONDS` or `fail`.
    public init?(_ text: String) {
        switch text {
        case "include": self = .include
        case "skip": self = .skip
        case "fail": self = .fail
        case "wait": self = .wait(seconds: OpenFilesPolicy.waitSecondsDefault)
        default:
            guard text.hasPrefix("wait="), let seconds = Int(text.dropFirst(5)), seconds >= 0 else {
                return nil
            }
            self = .wait(seconds: seconds)
        }
    }

    public static let waitSecondsDefault = 60
}

/// One walk over `upper/`, which finds what a new version consists of. The cost follows what was staged.
///
/// The gate must be closed while it runs, or nobody else may know the workspace.
struct SealWalk {
    let store: Store
    let workspace: Workspace
    let openFiles: OpenFilesPolicy
    private(set) var editor: TreeEditor

    /// Files whose bytes are to become objects, each backing file once.
    private(set) var files: [Digest: StagedFile] = [:]
    /// Blobs already copied into `objects/`, from files that are open for writing for instance.
    private(set) var copied: [Digest] = []
    private(set) var openAtSeal: [Manifest.OpenFile] = []
    /// Files that stay staged after the swap.
    private(set) var kept: [TreePath] = []
    /// Those of them that only readers have, who must see what is written to them later.
    private(set) var read: [ReadFile] = []
    /// Those of them that the version has as its base does.
    private var skipped: Set<TreePath> = []
    /// How much more may be copied for readers.
    private var copyByteCountLeft = SealWalk.copyByteCountMax

    /// Bytes that a seal copies at the most, while changes are held up, so that readers keep their file. Logs
    /// and their like are within it.
    static let copyByteCountMax: UInt64 = 64 << 20

    /// Those of ``kept`` that a program can still write to.
    var written: [TreePath] {
        let read = Set(read.map(\.path))
        return kept.filter { !read.contains($0) }
    }

    struct ReadFile {
        let path: TreePath
        /// What its mark is to say when the version is stored: its bytes are those of a blob.
        let mark: UpperMark
    }

    /// The new entries of the directories above those files, with the inode numbers they are to keep.
    private(set) var directories: [TreePath: (entry: TreeEntry, inode: UInt64)] = [:]
    /// The inode numbers of what is sealed.
    private(set) var numbering: InodeNumbering
    /// Every blob referred to, with its size.
    private(set) var referenced: [Digest: UInt64] = [:]
    private var digestByInode: [UInt64: Digest] = [:]
    /// Of backing files with several names.
    private var uses: [UInt64: Use] = [:]
    private var captures: [UInt64: Capture] = [:]
    private(set) var changedCount = 0

    struct StagedFile {
        let place: Place
        let size: UInt64
    }

    /// What a file that is open for writing held at the seal.
    private struct Capture {
        let digest: Digest
        let size: UInt64
        let isTorn: Bool
    }

    init(_ workspace: Workspace, _ store: Store, _ openFiles: OpenFilesPolicy) {
        self.store = store
        self.workspace = workspace
        self.openFiles = openFiles
        editor = TreeEditor(store.trees)
        numbering = InodeNumbering(store, workspace)
    }

    /// Reads the new trees, whose nodes are not in the catalog yet, beside the old ones.
    var trees: TreeStore {
        let (nodes, catalog) = (editor.newNodes, store.catalog)
        return TreeStore { digest throws(StoreError) in
            if let bytes = nodes[digest] { return bytes }
            return try catalog.nodeBytes(digest)
        }
    }

    /// Walks everything and returns the entry of the new root.
    mutating func run() throws(StoreError) -> TreeEntry {
        let place = try workspace.place([])
        guard let top = try workspace.overlay.probe(place) else {
            throw StoreError(.damaged, "the workspace has no upper directory", subject: workspace.name)
        }
        // Not by recursion: the depth of a tree is the user's.
        var levels = [try open(top, at: place, path: .root, try numbering.top(top))]
        while let last = levels.indices.last {
            guard let name = levels[last].names.popLast() else {
                let level = levels.removeLast()
                let entry = try close(level)
                if levels.isEmpty { return entry }
                levels[last - 1].changes[entry.name] = .set(entry)
                continue
            }
            let childPlace = try levels[last].place.child(name)
            guard let child = try workspace.overlay.probe(childPlace) else { continue }
            changedCount += 1
            let path = levels[last].path.appending(name)
            let directory = levels[last].directory
            if child.isWhiteout {
                levels[last].changes[name] = .remove
                numbering.remove(name, from: directory)
            } else if child.isDirectory {
                let number = numbering.add(child, name, to: directory)
                let inner = try numbering.directory(child, number)
                levels.append(try open(child, at: childPlace, path: path, inner))
            } else if let entry = try entry(name, child, at: childPlace, path: path, in: levels[last]) {
                levels[last].changes[name] = .set(entry)
                // A skipped file's number is what the base has.
                if !skipped.contains(path) { _ = numbering.add(child, name, to: directory) }
            }
        }
        preconditionFailure("the root closes last")
    }

    /// A directory on the way to where the walk is.
    private struct Level {
        let found: UpperEntry
        let place: Place
        let path: TreePath
        let directory: InodeNumbering.Directory
        let keptBefore: Int
        /// What is still to be looked at.
        var names: [FileName]
        var changes: [FileName: TreeChange] = [:]
    }

    private func open(
        _ found: UpperEntry, at place: Place, path: TreePath, _ directory: InodeNumbering.Directory
    ) throws(StoreError) -> Level {
        let names = try system("list", place.display) { () throws(Errno) in
            try Syscall.names(at: place.fd, place.path)
        }
        return Level(
            found: found, place: place, path: path, directory: directory, keptBefore: kept.count, names: names
        )
    }

    private mutating func close(_ level: Level) throws(StoreError) -> TreeEntry {
        let tree = try editor.edit(level.found.baseTree, level.changes)
        let entry = try workspace.overlay.entry(
            level.path.names.last ?? .root, level.found, at: level.place,
            .tree(tree.digest, files: tree.files), size: tree.bytes)
        if kept.count > level.keptBefore { directories[level.path] = (entry, level.directory.number) }
        return entry
    }

    /// The entry for what was found, which is no directory; nil where a skipped file has none in the base either.
    private mutating func entry(
        _ name: FileName, _ found: UpperEntry, at place: Place, path: TreePath, in level: Level
    ) throws(StoreError) -> TreeEntry? {
        guard let kind = EntryKind(mode: found.status.st_mode) else {
            throw StoreError(.damaged, "a file of unknown type", subject: path.display)
        }
        let size = UInt64(found.status.st_size)
        switch kind {
        case .directory: preconditionFailure("a level of its own")
        case .file:
            if let (digest, size) = found.reference {
                referenced[digest] = size
                // Bytes of its own are those of who read it when they were sealed.
                if found.status.st_size > 0, try use(of: found, at: place) == .reading {
                    keepForReaders(path, found.mark)
                }
                return try workspace.overlay.entry(name, found, at: place, .blob(digest), size: size)
            }
            let use = try use(of: found, at: place)
            if use == .writing {
                return try openFile(name, found, at: place, path: path, base: level.found.baseTree)
            }
            let digest = try closedFile(found, at: place)
            referenced[digest] = size
            if store.lostWrites.mustCopy {
                // There is a copy already.
            } else if use == .reading, size > 0, try copyForReaders(digest, size: size, at: place) {
                let number = workspace.number(of: found, name, in: level.directory.number)
                keepForReaders(path, UpperMark(inode: number, base: .blob(digest, size: size)))
            } else {
                files[digest] = StagedFile(place: place, size: size)
            }
            return try workspace.overlay.entry(name, found, at: place, .blob(digest), size: size)
        case .symlink:
            let target = try system("read", path.display) { () throws(Errno) in
                try Syscall.readSymlink(at: place.fd, place.path)
            }
            return try workspace.overlay.entry(
                name, found, at: place, .target(target), size: UInt64(target.count))
        case .characterDevice, .blockDevice:
            return try workspace.overlay.entry(
                name, found, at: place, .device(UInt64(found.status.st_rdev)), size: 0)
        case .fifo, .socket: return try workspace.overlay.entry(name, found, at: place, .none, size: 0)
        }
    }

    /// What programs may still do with a file.
    private enum Use {
        case none
        /// Somebody has it open or mapped. Were it linked into `objects/`, nobody could write to it any more, and
        /// who writes to its name later would write to another file than the one that is read.
        case reading
        case writing
    }

    /// A program that maps a file may close it and go on, so the tracker alone does not know.
    ///
    /// The answer for the first name of a file holds for all of them, though its writer may close it
    /// meanwhile: one file must not become an object under one name and stay staged under another.
    private mutating func use(of found: UpperEntry, at place: Place) throws(StoreError) -> Use {
        let inode = UInt64(found.status.st_ino)
        if let known = uses[inode] { return known }
        var use = workspace.tracker.isOpen(inode) ? Use.writing : .none
        if use == .none {
            let file = try workspace.openForReading(place)
            use = try system("look for users of", place.display) { () throws(Errno) in
                if try Syscall.hasWriter(file.fd) { return .writing }
                return try Syscall.hasOtherUser(file.fd) ? .reading : .none
            }
        }
        if found.status.st_nlink > 1 { uses[inode] = use }
        return use
    }

    private mutating func closedFile(_ found: UpperEntry, at place: Place) throws(StoreError) -> Digest {
        let inode = UInt64(found.status.st_ino)
        if let digest = digestByInode[inode] { return digest }
        if store.lostWrites.mustCopy {
            let digest = try ingest(try workspace.openForReading(place)).digest
            digestByInode[inode] = digest
            return digest
        }
        let digest: Digest
        if let cached = workspace.digests.digest(of: found.status), !workspace.tracker.wasTouched(inode) {
            digest = cached
        } else {
            digest = try Prehash.hash(place, found.status, workspace)
        }
        digestByInode[inode] = digest
        return digest
    }

    // MARK: Files that are read

    /// - Returns: whether there is an object now, or will be, that is another file than the one at `place`.
    private mutating func copyForReaders(
        _ digest: Digest, size: UInt64, at place: Place
    ) throws(StoreError) -> Bool {
        if copied.contains(digest) { return true }
        if try !store.catalog.knownBlobs([digest]).isEmpty, try store.blobs.has(digest, size: size) {
            return true
        }
        let file = try workspace.openForReading(place)
        let count = try store.blobs.adopt(
            copyOf: file.fd, as: digest, size: size, byteCountMax: copyByteCountLeft)
        guard let count else { return false }
        copyByteCountLeft -= count
        copied.append(digest)
        return true
    }

    private mutating func keepForReaders(_ path: TreePath, _ mark: UpperMark) {
        kept.append(path)
        read.append(ReadFile(path: path, mark: mark))
    }

    // MARK: Files that can be written to

    private mutating func openFile(
        _ name: FileName, _ found: UpperEntry, at place: Place, path: TreePath, base: Digest?
    ) throws(StoreError) -> TreeEntry? {
        switch openFiles {
        case .fail, .wait:
            throw StoreError(
                .filesOpen, "the file is open for writing", subject: path.display,
                hint: "close it, or commit with --open-files include, skip or wait")
        case .skip:
            kept.append(path)
            skipped.insert(path)
            return try base.flatMap { base throws(StoreError) in try store.trees.entry(name, in: base) }
        case .include:
            let captured = try capture(found, at: place, path)
            kept.append(path)
            openAtSeal.append(Manifest.OpenFile(path: path, isTorn: captured.isTorn))
            referenced[captured.digest] = captured.size
            return try workspace.overlay.entry(
                name, found, at: place, .blob(captured.digest), size: captured.size)
        }
    }

    /// Copies what a file that is open for writing holds now, once for all its names.
    private mutating func capture(
        _ found: UpperEntry, at place: Place, _ path: TreePath
    ) throws(StoreError) -> Capture {
        let inode = UInt64(found.status.st_ino)
        if let captured = captures[inode] { return captured }
        let file = try workspace.openForReading(place)
        let before = try system("look at", path.display) { () throws(Errno) in try Syscall.stat(file.fd) }
        let (digest, size) = try ingest(file)
        let after = try system("look at", path.display) { () throws(Errno) in try Syscall.stat(file.fd) }
        let captured = Capture(
            digest: digest, size: size,
            isTorn: Timestamp(before.st_mtim) != Timestamp(after.st_mtim) || before.st_size != after.st_size)
        captures[inode] = captured
        return captured
    }

    private mutating func ingest(_ file: Descriptor) throws(StoreError) -> (digest: Digest, size: UInt64) {
        let (digest, size, isNew) = try store.blobs.ingest(copyOf: file.fd) { digest throws(StoreError) in
            try !store.catalog.knownBlobs([digest]).isEmpty
        }
        if isNew { copied.append(digest) }
        return (digest, size)
    }

    /// Gives a blob that the catalog knows its object again if that is missing, or shorter or longer than it was.
    /// By a copy, which stays when the commit fails: it must not be a staged file's second name.
    mutating func mend(_ digest: Digest, with file: StagedFile) throws(StoreError) {
        if try store.blobs.has(digest, size: file.size) { return }
        _ = try ingest(try workspace.openForReading(file.place))
    }
}

extension Workspace {
    /// Opens a staged file to read its bytes, whatever its mode: an ordinary user's own file may deny even its
    /// owner.
    func openForReading(_ place: Place) throws(StoreError) -> Descriptor {
        try system("open", place.display) { () throws(Errno) in
            try place.whateverMode { () throws(Errno) in
                // Not to wait for a fifo's writer, where a fifo has taken the file's place.
                try Syscall.open(at: place.fd, place.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            }
        }
    }
}
