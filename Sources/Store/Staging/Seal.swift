internal import Glibc
internal import Objects
internal import SystemPackage

/// One walk over `upper/`, which finds what a new version consists of. The cost follows what was staged.
///
/// The gate must be closed while it runs, or nobody else may know the workspace. A walk ahead of that, with the gate
/// open, finds what a later one need not look at again, if nothing of it changes meanwhile: see ``SealPreparation``.
struct SealWalk: Sendable {
    let store: Store
    let workspace: Workspace
    let openFiles: OpenFilesPolicy
    /// Whether the gate is open. Files that programs have open, or that have several names, are left out then.
    let isAhead: Bool
    /// Whether what is known of files by their status is taken for granted.
    let trustsNotes: Bool
    /// Whether all bytes become objects by being copied: see ``LostWrites``. They may be lost at any moment, so that is asked
    /// once for all of them.
    let copies: Bool
    var editor: TreeEditor
    /// Of a walk ahead: what it found. Of the one after it: what is taken over from there.
    var parts: [TreePath: SealPart]

    /// What all of it comes to.
    private(set) var sum: SealSum
    /// Files that were open for writing when the gate was closed: they are sealed as they are when they are looked at.
    private let writtenBefore: Set<UInt64>
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

    /// The new entries of the directories above those files, with the inode numbers they are to keep.
    private(set) var directories: [TreePath: (entry: TreeEntry, inode: UInt64)] = [:]
    /// The inode numbers of what is sealed.
    var numbering: InodeNumbering
    private var digestByInode: [UInt64: Digest] = [:]
    /// Of backing files with several names.
    private var uses: [UInt64: Use] = [:]
    private var captures: [UInt64: Capture] = [:]
    var changedCount = 0
    /// Files that a walk ahead left out since they have no digest.
    var unhashed: [(place: Place, status: stat)] = []
    var unhashedInodes: Set<UInt64> = []
    var leavesOutUnhashed = false
    /// How many this walk has hashed in passing.
    private var hashedHereCount = 0
    /// Whether it is one of several beside each other.
    var isBranch = false

    /// - Parameters:
    ///   - isAhead: whether the gate is open.
    ///   - copies: whether bytes were lost before.
    ///   - writtenBefore: the backing inodes of files that were open for writing when the gate was closed.
    ///   - prepared: what a walk ahead found, without what has changed since.
    init(
        _ workspace: Workspace, _ store: Store, _ openFiles: OpenFilesPolicy, isAhead: Bool = false,
        trustsNotes: Bool = true, copies: Bool = false, writtenBefore: Set<UInt64> = [],
        prepared: (editor: TreeEditor, parts: [TreePath: SealPart], totals: SealTotals?)? = nil
    ) {
        self.store = store
        self.workspace = workspace
        self.openFiles = openFiles
        self.isAhead = isAhead
        self.trustsNotes = trustsNotes
        self.copies = copies
        self.writtenBefore = writtenBefore
        editor = prepared?.editor ?? TreeEditor(store.trees)
        parts = prepared?.parts ?? [:]
        sum = SealSum(prepared: prepared?.totals)
        numbering = InodeNumbering(store, workspace)
    }

    /// Walks everything and returns the entry of the new root.
    mutating func run() throws(StoreError) -> TreeEntry {
        guard let root = try walk() else { preconditionFailure("only a walk ahead leaves out") }
        sum.finish()
        return root
    }

    /// Walks everything as far as that is of use to a later walk: see ``parts``.
    ///
    /// - Parameter leavingOutUnhashed: whether to leave files without a digest to be hashed on all cores, and another
    ///   walk to be taken then: see ``unhashed``.
    /// - Returns: the entry of the new root; nil where something was left out.
    @discardableResult
    mutating func lookAhead(leavingOutUnhashed: Bool = false) throws(StoreError) -> TreeEntry? {
        leavesOutUnhashed = leavingOutUnhashed
        return try walk()
    }

    /// - Returns: nil where something was left out.
    private mutating func walk() throws(StoreError) -> TreeEntry? {
        let place = try workspace.place([])
        guard let top = try workspace.overlay.probe(place) else {
            throw StoreError(.damaged, "the workspace has no upper directory", subject: workspace.name)
        }
        let directory = try numbering.top(top)
        return try walk(from: Branch(found: top, place: place, path: .root, directory: directory))
    }

    /// Looks at one name of a directory.
    mutating func visit(_ name: FileName, in level: inout Level) throws(StoreError) {
        let place = try level.here.child(name)
        let path = level.path.appending(name)
        do throws(StoreError) {
            guard let found = try probe(place) else {
                return level.drop(name)
            }
            level.part.count += 1
            if found.isWhiteout {
                level.part.changes[name] = .remove
                numbering.remove(name, from: level.directory)
            } else if found.isDirectory {
                let number = numbering.add(found, name, to: level.directory)
                level.branches.append(
                    Branch(
                        found: found, place: try level.place.child(name), path: path,
                        directory: try directory(found, number, at: path)))
            } else if isAhead, workspace.tracker.linkCount(found.file.linkCount, of: found.file.inode) > 1 {
                // All its names are to be seen by one walk.
                _ = try noteUnhashed(name, found, in: level)
                level.leaveOut()
            } else if let entry = try entry(name, found, at: place, path: path, in: &level) {
                level.part.changes[name] = .set(entry)
                // A skipped file's number is what the base has.
                if !skipped.contains(path) { _ = numbering.add(found, name, to: level.directory) }
            }
        } catch {
            // Gone, replaced or not to be read just now: the walk that counts will say so if it still is.
            guard isAhead else { throw error }
            level.leaveOut()
        }
    }

    private func directory(
        _ found: UpperEntry, _ number: UInt64, at path: TreePath
    ) throws(StoreError) -> InodeNumbering.Directory {
        if let known = parts[path]?.directory, known.number == number { return known }
        return try numbering.directory(found, number)
    }

    /// - Returns: the directory's entry; nil where something was left out.
    mutating func close(_ level: inout Level) throws(StoreError) -> TreeEntry? {
        changedCount += level.part.count
        if level.isWhole, !level.isUnchanged {
            do throws(StoreError) { level.part.entry = try newEntry(of: level) } catch {
                // As in `visit`.
                guard isAhead else { throw error }
                level.leaveOut()
                level.part.entry = nil
            }
        }
        if isAhead {
            level.part.noted = numbering.changes[level.directory.number] ?? [:]
            if level.isPlain { parts[level.path] = level.part }
            return level.part.entry
        }
        sum.add(level.part, isTakenOver: level.isTakenOver)
        if kept.count > level.keptBefore, let entry = level.part.entry {
            directories[level.path] = (entry, level.directory.number)
        }
        return level.part.entry
    }

    private mutating func newEntry(of level: Level) throws(StoreError) -> TreeEntry {
        let tree = try editor.edit(level.found.baseTree, level.part.changes)
        return try workspace.overlay.entry(
            level.path.names.last ?? .root, level.found, at: level.here,
            .tree(tree.digest, files: tree.files), size: tree.bytes)
    }

    /// The entry for what was found, which is no directory; nil where a skipped file has none in the base either.
    private mutating func entry(
        _ name: FileName, _ found: UpperEntry, at place: Place, path: TreePath, in level: inout Level
    ) throws(StoreError) -> TreeEntry? {
        guard let kind = EntryKind(mode: found.status.st_mode) else {
            throw StoreError(.damaged, "a file of unknown type", subject: path.display)
        }
        var (found, size) = (found, UInt64(found.status.st_size))
        switch kind {
        case .directory: preconditionFailure("a level of its own")
        case .file:
            level.part.inodes.append(found.file.inode)
            if isAhead {
                var isLeftOut = try noteUnhashed(name, found, in: level)
                if !isLeftOut, !trustsNotes || !workspace.tracker.isUnused(found.file.inode) {
                    isLeftOut = try isInUse(found, at: place)
                    if !isLeftOut { isLeftOut = try hasChanged(found, at: place) }
                }
                if isLeftOut {
                    level.leaveOut()
                    return nil
                }
            }
            if let (digest, size) = found.reference {
                level.part.referenced[digest] = size
                // Bytes of its own are those of who read it when they were sealed.
                if found.status.st_size > 0, try use(of: found, at: place) == .reading {
                    keepForReaders(path, found.mark)
                }
                return try workspace.overlay.entry(name, found, at: place, .blob(digest), size: size)
            }
            let use = isAhead ? Use.none : try use(of: found, at: place)
            if use == .writing {
                return try openFile(name, found, at: place, path: path, in: &level)
            }
            if !isAhead, try hasChanged(found, at: place), let now = try workspace.overlay.probe(place) {
                (found, size) = (now, UInt64(now.status.st_size))
            }
            let digest = try closedFile(found, at: place)
            if writtenBefore.contains(found.file.inode) {
                openAtSeal.append(Manifest.OpenFile(path: path, isTorn: false))
            }
            level.part.referenced[digest] = size
            if copies {
                // There is a copy already.
            } else if use == .reading, size > 0, try copyForReaders(digest, size: size, at: place) {
                let number = workspace.number(of: found, name, in: level.directory.number)
                let base = UpperMark.Base.blob(digest, size: size)
                keepForReaders(path, UpperMark(inode: number, base: base, flags: found.mark.flags))
            } else {
                let file = StagedFile(
                    place: try level.place.child(name), size: size, inode: found.file.inode)
                level.part.files.append((name, digest, file))
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

    private static let hashedHereMax = 8
    private static let hashedHereSizeMax = 256 << 10

    /// - Returns: whether a file is to be left out since it is to be hashed first.
    private mutating func noteUnhashed(
        _ name: FileName, _ found: UpperEntry, in level: Level
    ) throws(StoreError) -> Bool {
        guard leavesOutUnhashed, found.isFile, found.reference == nil, digest(of: found) == nil,
            !workspace.tracker.isOpen(found.file.inode)
        else { return false }
        // A few small ones are hashed sooner than walked past once more.
        if hashedHereCount < SealWalk.hashedHereMax, found.status.st_size <= SealWalk.hashedHereSizeMax {
            hashedHereCount += 1
            let place = try level.here.child(name)
            _ = try Prehash.hash(place, workspace)
            // What was found before must be what was hashed.
            return try hasChanged(found, at: place)
        }
        // Of several names one is enough.
        if unhashedInodes.insert(found.file.inode).inserted {
            unhashed.append((try level.place.child(name), found.status))
        }
        return true
    }

    /// Whether a walk ahead is to leave a file out.
    private mutating func isInUse(_ found: UpperEntry, at place: Place) throws(StoreError) -> Bool {
        if workspace.tracker.isOpen(found.file.inode) { return true }
        if found.reference != nil, found.status.st_size == 0 { return false }
        return try use(of: found, at: place) != .none
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
                if try !Syscall.hasOtherUser(file.fd) {
                    return workspace.tracker.isRead(inode) ? .reading : .none
                }
                return try Syscall.hasWriter(file.fd) ? .writing : .reading
            }
        }
        if found.status.st_nlink > 1 { uses[inode] = use }
        return use
    }

    private mutating func closedFile(_ found: UpperEntry, at place: Place) throws(StoreError) -> Digest {
        let inode = UInt64(found.status.st_ino)
        if found.status.st_nlink == 1, !copies, let known = digest(of: found) {
            return known
        }
        if let digest = digestByInode[inode] { return digest }
        if copies {
            let digest = try ingest(try workspace.openForReading(place)).digest
            digestByInode[inode] = digest
            return digest
        }
        let found =
            if let known = digest(of: found) { known } else {
                try Prehash.hash(place, workspace)
            }
        digestByInode[inode] = found
        return found
    }

    /// What is known of a file's bytes.
    private func digest(of found: UpperEntry) -> Digest? {
        guard let known = workspace.digests.digest(of: found.status) else { return nil }
        return workspace.tracker.wasTouched(UInt64(found.status.st_ino)) ? nil : known
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
        _ name: FileName, _ found: UpperEntry, at place: Place, path: TreePath, in level: inout Level
    ) throws(StoreError) -> TreeEntry? {
        switch openFiles {
        case .fail, .wait:
            throw StoreError(
                .filesOpen, "the file is open for writing", subject: path.display,
                hint: "close it, or commit with --open-files include, skip or wait")
        case .skip:
            kept.append(path)
            skipped.insert(path)
            return try level.found.baseTree.flatMap { base throws(StoreError) in
                try store.trees.entry(name, in: base)
            }
        case .include:
            let captured = try capture(found, at: place, path)
            kept.append(path)
            openAtSeal.append(Manifest.OpenFile(path: path, isTorn: captured.isTorn))
            level.part.referenced[captured.digest] = captured.size
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
