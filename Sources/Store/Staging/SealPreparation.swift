internal import Glibc
internal import Objects
internal import SystemPackage

/// The part of a commit that runs with the gate open, and nearly all of its work: files are looked at and hashed, their
/// names in `objects/` are given and made durable. What changes meanwhile is noted by the ``WriteTracker``, and the seal, which
/// holds changes up, does again what it bears on.
///
/// A file whose name in `objects/` was given too early may be written to; no version refers to that name until the seal
/// has found the file unchanged, and a name of one that was not is taken away first.
struct SealPreparation {
    private let store: Store
    private let workspace: Workspace
    private var walk: SealWalk
    /// Staged files that have a name in `objects/` as well, by backing inode.
    private(set) var linked: [Digest: UInt64] = [:]
    private var totals = SealTotals()
    /// Those of its blobs that the catalog knows.
    private(set) var known: Set<Digest> = []
    /// Rows for the catalog's new blobs, if all that is prepared is sealed.
    private(set) var newBlobs = Catalog.NewBlobs()
    /// How new tree nodes are to be kept.
    private(set) var deltas = NodeDeltas()
    /// New tree nodes that the catalog has already.
    private(set) var stored: Set<Digest> = []
    /// Where a backing inode was seen: the directory that it is, or that holds it.
    private var owners: [UInt64: TreePath] = [:]
    /// Whether `next/` says that names may have been given.
    private(set) var hasBegun = false

    /// Prepares a seal. ``finish(copies:)`` or ``undo()`` must follow.
    init(_ workspace: Workspace, _ store: Store, progress: Progress = .none) throws(StoreError) {
        self.store = store
        self.workspace = workspace
        walk = SealWalk(workspace, store, .include, isAhead: true)
        store.catalog.moveLongLog()
        workspace.digests.remove(workspace.tracker.takeMark())
        // Bytes that were lost must be written anew, which only the seal does.
        if store.lostWrites.mustCopy { return }
        workspace.tracker.watch()
        do throws(StoreError) {
            try walk.lookAhead(leavingOutUnhashed: true)
            if !walk.unhashed.isEmpty {
                try Prehash.run(walk.unhashed, workspace, progress: progress)
                walk = SealWalk(workspace, store, .include, isAhead: true)
                try walk.lookAhead()
            }
            findOwners()
            try deltas.add(walk.editor, store.catalog)
            known = try store.catalog.knownBlobs(walk.parts.values.flatMap(\.referenced.keys))
            try giveNames()
            try addUp()
        } catch {
            undo()
            throw error
        }
    }

    /// What was renamed under the walk may be in two parts, of which a change of it would drop one: neither is kept.
    private mutating func findOwners() {
        owners.reserveCapacity(walk.parts.values.reduce(0) { $0 + 1 + $1.inodes.count })
        var doubtful: Set<TreePath> = []
        for (path, part) in walk.parts {
            for inode in [part.inode] + part.inodes {
                guard let other = owners.updateValue(path, forKey: inode), other != path else { continue }
                doubtful.formUnion([path, other])
            }
        }
        for path in doubtful { walk.parts[path] = nil }
    }

    private enum Addition: CaseIterable { case names, nodes, blobs }
    private static let addedAtOnceMax = 1_000

    /// Adds up what the version will refer to, while the disk takes what it has been given.
    private mutating func addUp() throws(StoreError) {
        let sum = Lock((totals: SealTotals(), new: Catalog.NewBlobs()))
        let stored = Lock(Set<Digest>())
        let (parts, known, linked) = (walk.parts.values, known, linked)
        let (nodes, deltas) = (walk.editor.newNodes, deltas.deltas)
        // Threads are not worth it for a few.
        let width = linked.count < SealPreparation.addedAtOnceMax ? 1 : Addition.allCases.count
        try Parallel.forEach(Addition.allCases, width: width) { [store] addition throws(StoreError) in
            switch addition {
            case .names: try store.sync(SealPreparation.namesToSync(linked, in: store))
            case .nodes:
                let kept = try SealPreparation.keep(nodes, deltas, in: store)
                stored.withLock { $0 = kept }
            case .blobs:
                var totals = SealTotals(blobCount: parts.reduce(0) { $0 + $1.referenced.count })
                for part in parts { totals.add(part) { linked[$0] != nil } }
                let new = Catalog.NewBlobs(totals.referenced, but: known)
                sum.withLock { [totals] in $0 = (totals, new) }
            }
        }
        (totals, newBlobs) = sum.withLock { $0 }
        self.stored = stored.withLock { $0 }
    }

    /// The names that are to be made durable. Not one that a FIFO or a whiteout has got, which must not be opened: the
    /// change of names in its directory is noted before the gate closes, so ``finish(copies:)`` takes that one back.
    private static func namesToSync(
        _ linked: [Digest: UInt64], in store: Store
    ) throws(StoreError) -> [Digest] {
        // So many are not opened.
        if linked.count > Store.fileSyncCountMax { return Array(linked.keys) }
        var names: [Digest] = []
        for digest in linked.keys {
            // One that is missing is for the sync to complain of.
            if let status = try store.blobs.status(digest), status.st_mode & S_IFMT != S_IFREG { continue }
            names.append(digest)
        }
        return names
    }

    /// Stores tree nodes ahead, if they are so many that it would take long while changes are held up. Where no version
    /// comes to refer to them they are garbage.
    private static func keep(
        _ nodes: [Digest: [UInt8]], _ deltas: [Digest: NodeDelta], in store: Store
    ) throws(StoreError) -> Set<Digest> {
        guard nodes.values.reduce(0, { $0 + $1.count }) > nodeByteCountMax else { return [] }
        if !deltas.isEmpty { try store.raiseFormat(to: StoreFormat.deltas) }
        try store.catalog.keep(nodes, deltas)
        return Set(nodes.keys)
    }

    /// So many bytes of tree nodes are left for the transaction that makes the version: a transaction more costs a sync.
    private static let nodeByteCountMax = 1 << 20

    /// Whether the catalog was asked for a blob.
    func wasAsked(for digest: Digest) -> Bool { totals.referenced[digest] != nil }

    /// The files of one directory that are to be given names.
    private struct Gifts: Sendable {
        let directory: Place
        /// The directory's own backing inode.
        let inode: UInt64
        var files: [(name: FileName, digest: Digest, inode: UInt64)] = []
    }

    private mutating func giveNames() throws(StoreError) {
        var gifts: [Gifts] = []
        var seen = known
        seen.reserveCapacity(walk.parts.values.reduce(known.count) { $0 + $1.files.count })
        for part in walk.parts.values {
            var ofPart = Gifts(directory: part.place, inode: part.inode)
            for (name, digest, file) in part.files where seen.insert(digest).inserted {
                ofPart.files.append((name, digest, file.inode))
            }
            if !ofPart.files.isEmpty { gifts.append(ofPart) }
        }
        if gifts.isEmpty { return }
        try workspace.beginLinking()
        hasBegun = true
        let given = Lock([Digest: UInt64]())
        defer { linked = given.withLock { $0 } }
        try Parallel.forEach(gifts) { [store, workspace] gifts throws(StoreError) in
            guard let directory = try? gifts.directory.opened(),
                // What moves a directory is a change of those that hold it, and not of itself.
                let status = try? Syscall.stat(directory.fd), UInt64(status.st_ino) == gifts.inode
            else {
                // It has another name by now, or none, or cannot be opened just now: the seal looks at it again.
                return workspace.tracker.changed(gifts.inode)
            }
            for file in gifts.files {
                workspace.tracker.linking(file.inode)
                let isGiven = try SealPreparation.give(file, of: gifts, in: directory, workspace, store) {
                    given.withLock { $0[file.digest] = file.inode }
                }
                if isGiven { continue }
                given.withLock { $0[file.digest] = nil }
                workspace.tracker.unlinked(file.inode)
                workspace.tracker.changed(gifts.inode)
            }
        }
    }

    /// - Parameter given: called when something has got the name.
    /// - Returns: whether that is the file.
    private static func give(
        _ file: (name: FileName, digest: Digest, inode: UInt64), of gifts: Gifts, in directory: Place,
        _ workspace: Workspace, _ store: Store, given: () -> Void
    ) throws(StoreError) -> Bool {
        do throws(StoreError) {
            try store.blobs.adopt(try directory.child(file.name), as: file.digest)
        } catch {
            // EPERM is also what a directory gets that has taken the file's place. If it is a file's, the seal says so.
            guard let errno = error.errno,
                errno == .notPermitted || Prehash.replacedFileErrors.contains(errno)
            else { throw error }
            return false
        }
        given()
        // A change is noted when it has been made, so another file may have that name for a moment longer. ``finish(copies:)``
        // takes it back then.
        if !workspace.tracker.wasChanged(file.inode, gifts.inode) { return true }
        // Something else may have been made under the number of one that is gone.
        if let status = try store.blobs.status(file.digest), UInt64(status.st_ino) == file.inode,
            status.st_mode & S_IFMT == S_IFREG
        {
            return true
        }
        _ = try store.blobs.remove(file.digest)
        return false
    }

    /// What the seal can take over. The gate must be closed: nothing changes any more.
    ///
    /// - Parameter copies: whether the seal writes all bytes anew, so that it can take nothing over.
    /// - Returns: the totals are nil where some of the parts were dropped.
    mutating func finish(copies: Bool = false) throws(StoreError) -> (
        editor: TreeEditor, parts: [TreePath: SealPart], totals: SealTotals?
    ) {
        var parts = walk.parts
        let changed = workspace.tracker.endWatch()
        if copies {
            for digest in linked.keys { try takeBack(digest) }
            return (walk.editor, [:], parts.isEmpty ? totals : nil)
        }
        for inode in changed {
            guard let path = owners[inode], let part = parts.removeValue(forKey: path) else { continue }
            for (_, digest, file) in part.files where linked[digest] == file.inode {
                try takeBack(digest)
                renewDigest(of: file)
            }
        }
        return (walk.editor, parts, parts.count == walk.parts.count ? totals : nil)
    }

    /// The name in `objects/` that a file had and lost has changed its ctime, and its bytes are the same.
    private func renewDigest(of file: SealWalk.StagedFile) {
        // One that cannot be looked at is hashed again.
        if let status = try? Syscall.stat(at: file.place.fd, file.place.path) {
            workspace.digests.renew(status)
        }
    }

    /// Takes back what the version is not to have after all.
    mutating func keepOnly(_ sum: SealSum) throws(StoreError) {
        if sum.isAsPrepared { return }
        for digest in linked.keys where sum.size(of: digest) == nil { try takeBack(digest) }
    }

    private mutating func takeBack(_ digest: Digest) throws(StoreError) {
        _ = try store.blobs.remove(digest)
        if let inode = linked.removeValue(forKey: digest) { workspace.tracker.unlinked(inode) }
    }

    /// Takes all of it back, and other names that staged files were given in `objects/`.
    mutating func undo(_ others: [Digest] = []) {
        _ = workspace.tracker.endWatch()
        var isUndone = true
        for digest in linked.keys + others {
            do throws(StoreError) { _ = try store.blobs.remove(digest) } catch { isUndone = false }
        }
        for part in walk.parts.values {
            for (_, digest, file) in part.files where linked[digest] == file.inode { renewDigest(of: file) }
        }
        linked = [:]
        workspace.tracker.endLinking()
        // Last of all, and not while a name is left: by it the next start knows that there may be some. Files that stay
        // staged may have a second name in it, which `stat` would count.
        // One that cannot be removed is removed by the next commit or start.
        if isUndone { try? RemoveTree.remove(Workspace.nextName, at: workspace.directory) }
    }
}

extension Workspace {
    /// Makes a `next/` by which the next start knows that staged files may have names in `objects/`. It is empty, and
    /// becomes the one that is to be `upper/` when it is known what that lies over.
    fileprivate func beginLinking() throws(StoreError) {
        try Workspace.makeUpper(
            Workspace.nextName, in: directory, overlay,
            root: Workspace.firstRoot(Digest.of(TreeNode.empty.encoded())),
            WorkspaceMark(generation: generation + 1, version: baseVersion), syncs: false)
    }
}
