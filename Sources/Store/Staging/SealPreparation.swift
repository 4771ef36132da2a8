internal import Glibc
internal import Objects
internal import SystemPackage

/// The part of a commit that runs with the gate open, and nearly all of its work: files are looked at, their names in
/// `objects/` are given and made durable. What changes meanwhile is noted by the ``WriteTracker``, and the seal, which
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
    /// What was asked of the catalog.
    private(set) var known: Set<Digest> = []
    private(set) var unknown: Set<Digest> = []
    /// Where a backing inode was seen: the directory that it is, or that holds it.
    private var owners: [UInt64: TreePath] = [:]
    /// Whether `next/` says that names may have been given.
    private(set) var hasBegun = false

    /// Prepares a seal. ``finish()`` or ``undo()`` must follow.
    init(_ workspace: Workspace, _ store: Store) throws(StoreError) {
        self.store = store
        self.workspace = workspace
        walk = SealWalk(workspace, store, .include, isAhead: true)
        // Bytes that were lost must be written anew, which only the seal does.
        if store.lostWrites.mustCopy { return }
        workspace.tracker.watch()
        do throws(StoreError) {
            try walk.lookAhead()
            for (path, part) in walk.parts {
                owners[part.inode] = path
                for inode in part.inodes { owners[inode] = path }
            }
            try askForKnown()
            try giveNames()
            try store.sync(Array(linked.keys))
        } catch {
            undo()
            throw error
        }
    }

    private mutating func askForKnown() throws(StoreError) {
        let referenced = walk.parts.values.reduce(into: Set<Digest>()) { $0.formUnion($1.referenced.keys) }
        known = try store.catalog.knownBlobs(Array(referenced))
        unknown = referenced.subtracting(known)
    }

    private mutating func giveNames() throws(StoreError) {
        for part in walk.parts.values {
            for (digest, file) in part.files where !known.contains(digest) && linked[digest] == nil {
                if !hasBegun { try workspace.beginLinking() }
                hasBegun = true
                try give(digest, file, in: part)
            }
        }
    }

    private mutating func give(
        _ digest: Digest, _ file: SealWalk.StagedFile, in part: SealPart
    ) throws(StoreError) {
        workspace.tracker.linking(file.inode)
        do throws(StoreError) {
            try store.blobs.adopt(file.place.path, at: file.place.fd, as: digest)
        } catch {
            guard let errno = error.errno, Prehash.replacedFileErrors.contains(errno) else { throw error }
            // Its directory has another name by now, or it has none.
            workspace.tracker.unlinked(file.inode)
            return workspace.tracker.changed(part.inode)
        }
        linked[digest] = file.inode
        // Another file may have had that name by then.
        guard let status = try store.blobs.status(digest), UInt64(status.st_ino) == file.inode else {
            try takeBack(digest)
            return workspace.tracker.changed(part.inode)
        }
        // The link has changed its ctime.
        if !workspace.tracker.wasTouched(file.inode) { workspace.digests.keep(digest, of: status) }
    }

    /// What the seal can take over. The gate must be closed: nothing changes any more.
    mutating func finish() throws(StoreError) -> (editor: TreeEditor, parts: [TreePath: SealPart]) {
        var parts = walk.parts
        for inode in workspace.tracker.endWatch() {
            guard let path = owners[inode], let part = parts.removeValue(forKey: path) else { continue }
            for (digest, file) in part.files where linked[digest] == file.inode { try takeBack(digest) }
        }
        return (walk.editor, parts)
    }

    /// Takes back what the version is not to have after all.
    mutating func keepOnly(_ referenced: [Digest: UInt64]) throws(StoreError) {
        for digest in linked.keys where referenced[digest] == nil { try takeBack(digest) }
    }

    private mutating func takeBack(_ digest: Digest) throws(StoreError) {
        _ = try store.blobs.remove(digest)
        if let inode = linked.removeValue(forKey: digest) { workspace.tracker.unlinked(inode) }
    }

    /// Takes all of it back.
    mutating func undo() {
        _ = workspace.tracker.endWatch()
        // What stays is named by no version; gc removes it.
        for digest in linked.keys { _ = try? store.blobs.remove(digest) }
        linked = [:]
        workspace.tracker.endLinking()
        // One that stays is removed by the next commit or start.
        if hasBegun { try? RemoveTree.remove(Workspace.nextName, at: workspace.directory) }
    }
}

extension Workspace {
    /// Makes a `next/` by which the next start knows that staged files may have names in `objects/`. It is empty, so that
    /// the one that is to become `upper/` can take its place in one step.
    fileprivate func beginLinking() throws(StoreError) {
        try Workspace.makeUpper(
            Workspace.nextName, in: directory, overlay,
            root: Workspace.firstRoot(Digest.of(TreeNode.empty.encoded())),
            WorkspaceMark(generation: generation + 1, version: baseVersion), syncs: false)
    }
}
