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
            try store.sync(Array(linked.keys), in: workspace)
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
        for (path, part) in walk.parts {
            for (digest, file) in part.files where !known.contains(digest) && linked[digest] == nil {
                if !hasBegun { try workspace.beginLinking() }
                hasBegun = true
                workspace.tracker.linking(file.inode)
                do throws(StoreError) {
                    try store.blobs.adopt(file.place.path, at: file.place.fd, as: digest)
                } catch {
                    // Its directory has another name by now, or it has none.
                    guard error.errno == .noSuchFileOrDirectory else { throw error }
                    workspace.tracker.changed(part.inode)
                    continue
                }
                linked[digest] = file.inode
                try keepDigest(digest, of: file, path)
            }
        }
    }

    /// The link has changed the file's ctime.
    private func keepDigest(_ digest: Digest, of file: SealWalk.StagedFile, _ path: TreePath)
        throws(StoreError)
    {
        let status = try system("look at", path.display) { () throws(Errno) in
            try Syscall.statIfPresent(at: file.place.fd, file.place.path)
        }
        if let status, UInt64(status.st_ino) == file.inode { workspace.digests.keep(digest, of: status) }
    }

    /// What the seal can take over. The gate must be closed: nothing changes any more.
    mutating func finish() throws(StoreError) -> (editor: TreeEditor, parts: [TreePath: SealPart]) {
        var parts = walk.parts
        for inode in workspace.tracker.endWatch() {
            guard let path = owners[inode], let part = parts.removeValue(forKey: path) else { continue }
            for (digest, file) in part.files where linked[digest] == file.inode {
                _ = try store.blobs.remove(digest)
                linked[digest] = nil
            }
        }
        return (walk.editor, parts)
    }

    /// Takes all of it back.
    mutating func undo() {
        _ = workspace.tracker.endWatch()
        // What stays is named by no version; gc removes it.
        for digest in linked.keys { _ = try? store.blobs.remove(digest) }
        linked = [:]
        workspace.tracker.endLinking()
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
