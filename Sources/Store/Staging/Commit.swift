internal import Glibc
public import Objects
internal import SystemPackage

/// What a person asks for with `firn commit`.
public struct CommitRequest: Hashable, Sendable {
    public var message = ""
    public var author = ""
    public var tags: [TagName] = []
    /// Whether a tag that is taken moves here instead of being refused.
    public var movesTags = false
    public var run: String?
    public var metadata = Metadata()
    public var pins = false
    /// Whether to make a version even though nothing changed.
    public var allowsEmpty = false
    public var openFiles = OpenFilesPolicy.include

    public init() {}
}

/// What became of a commit.
public struct CommitOutcome: Sendable {
    public let version: Version
    /// How many entries of `upper/` were looked at: the size of the change.
    public let changedCount: Int
    /// Paths that stay staged because a program can still write to them.
    public let kept: [TreePath]
    /// How long changes were held up, in milliseconds.
    public let pauseMilliseconds: Double
}

extension Store {
    /// Seals what is staged into a new version. The version is durable when this returns.
    ///
    /// - Parameters:
    ///   - swapped: called with the gate still closed, when staging lies over the new version.
    ///   - opened: called after it with the gate open, before the old `upper/` is removed, which may take seconds.
    /// - Throws: ``StoreError`` `.nothingToCommit`, `.tagExists`, `.filesOpen`, `.busy`, `.invalidInput`, or the
    ///   system's error. Nothing staged or sealed has changed then.
    public func commit(
        _ workspace: Workspace, _ request: CommitRequest, progress: Progress = .none,
        swapped: (Version) throws(StoreError) -> Void = { _ in }, opened: () -> Void = {}
    ) throws(StoreError) -> CommitOutcome {
        do throws(ObjectError) { try request.metadata.validate() } catch { throw StoreError(error) }
        return try exclusively("commit") { () throws(StoreError) in
            try workspace.requireUsable()
            try lostWrites.requireNone()
            if !request.movesTags { try requireFree(request.tags) }
            // Until when a seal that meets a writer may be tried again; nil for policies that do not wait.
            var deadline: ContinuousClock.Instant?
            if case .wait(let seconds) = request.openFiles { deadline = .now + .seconds(seconds) }
            while true {
                if let deadline { Store.waitForWriters(workspace, until: deadline) }
                do throws(StoreError) {
                    let (sealed, pause) = try workspace.hashingTurn.during { () throws(StoreError) in
                        var prepared = try SealPreparation(workspace, self, progress: progress)
                        let start = ContinuousClock.now
                        let sealed = try workspace.gate.close { () throws(StoreError) in
                            try Sealing(self, workspace, request).run(&prepared, swapped)
                        }
                        return (sealed, ContinuousClock.now - start)
                    }
                    opened()
                    finish(sealed, workspace)
                    // On a small disk the next who writes may need its room.
                    if sealed.changedCount < Store.promptlyDiscarded {
                        temporary.discard(sealed.rubbish)
                    } else {
                        temporary.discardLater(sealed.rubbish)
                    }
                    return CommitOutcome(
                        version: sealed.version, changedCount: sealed.changedCount, kept: sealed.kept,
                        pauseMilliseconds: pause / .milliseconds(1))
                } catch {
                    // A file was opened between the wait and the seal, or is written through a mapping.
                    guard error.code == .filesOpen, let deadline, .now < deadline else { throw error }
                    usleep(10_000)
                }
            }
        }
    }

    /// Protects new objects: the large ones at once, since one that is not is hashed when it is opened. The rest, and
    /// what need not be done at all, is done later.
    private func finish(_ sealed: Sealing.Sealed, _ workspace: Workspace) {
        var small: [Digest] = []
        for digest in sealed.objects {
            // One that cannot be protected is hashed as well.
            if sealed.walk.sum.size(of: digest) ?? 0 >= Store.promptlyProtected {
                try? blobs.protect(digest)
            } else {
                small.append(digest)
            }
        }
        protecting.run { [blobs, catalog, lostWrites, small] in
            // Until then the next start would do the swap again.
            workspace.syncSwap(lostWrites)
            for digest in small { try? blobs.protect(digest) }
            catalog.moveLongLog()
            if small.count >= Store.promptlyDiscarded { UnusedMemory.release() }
        }
    }

    /// How many entries of an old `upper/` are removed before the answer.
    private static let promptlyDiscarded = 1000

    /// Bytes of an object that is not to be hashed once more if that can be helped.
    private static let promptlyProtected: UInt64 = 1 << 20

    private func requireFree(_ tags: [TagName]) throws(StoreError) {
        for tag in tags {
            if let number = try catalog.tag(tag.text) { throw Store.taken(tag, by: number) }
        }
    }

    static func taken(_ tag: TagName, by number: VersionNumber) -> StoreError {
        StoreError(
            .tagExists, "the tag is taken by \(number)", subject: tag.text,
            hint: "choose another name, or move the tag with --force")
    }

    private static func waitForWriters(_ workspace: Workspace, until deadline: ContinuousClock.Instant) {
        while workspace.tracker.openCount > 0, ContinuousClock.now < deadline { usleep(10_000) }
    }

}

/// The part of a commit that runs with the gate closed.
private struct Sealing {
    let store: Store
    let workspace: Workspace
    let request: CommitRequest

    init(_ store: Store, _ workspace: Workspace, _ request: CommitRequest) {
        self.store = store
        self.workspace = workspace
        self.request = request
    }

    struct Sealed {
        let version: Version
        let changedCount: Int
        let kept: [TreePath]
        /// The new objects.
        let objects: [Digest]
        /// Knows their sizes. To be let go of with the gate open, since it is large.
        let walk: SealWalk
        /// The old `upper/`, by its name in the temporary directory.
        let rubbish: RawPath
    }

    func run(
        _ prepared: inout SealPreparation, _ swapped: (Version) throws(StoreError) -> Void
    ) throws(StoreError) -> Sealed {
        let writers = workspace.tracker.writers
        var walk = SealWalk(workspace, store, request.openFiles)
        // Staged files that have a name in objects/ as well.
        var linked: [Digest] = []
        let stored: (version: Version, mark: WorkspaceMark)
        do throws(StoreError) {
            let copies = store.lostWrites.mustCopy
            let ahead = try prepared.finish(copies: copies)
            walk = SealWalk(
                workspace, store, request.openFiles, copies: copies, writtenBefore: writers, prepared: ahead)
            stored = try sealUpToCommit(&walk, &prepared, &linked)
        } catch {
            undo(walk, &prepared, linked)
            throw error
        }
        defer { workspace.tracker.endLinking() }
        linked += prepared.linked.keys
        let rubbish = try workspace.swapToNext(stored.mark, syncs: false)
        workspace.digests.removeAll()
        workspace.tracker.forgetUnused()
        for file in walk.read {
            // Found where it was, which is the same file. Without it the file is staged, and sealed once more.
            if let place = try? workspace.place(file.path.names) {
                try? workspace.overlay.mark(place, .file, file.mark)
            }
        }
        try workspace.settle { () throws(StoreError) in try swapped(stored.version) }
        removeOldNames(of: walk.kept, in: rubbish)
        if walk.copies, walk.kept.isEmpty { store.lostWrites.clear() }
        return Sealed(
            version: stored.version, changedCount: walk.changedCount, kept: walk.written,
            objects: linked + walk.copied, walk: walk, rubbish: rubbish)
    }

    /// The old `upper/`, which nobody looks at any more, may be there for a while, and `stat` would count the names that
    /// files of the new one have in it.
    private func removeOldNames(of kept: [TreePath], in rubbish: RawPath) {
        // What cannot be removed now goes with the rest.
        guard !kept.isEmpty, let old = try? workspace.overlay.temporary.place(rubbish).opened() else {
            return
        }
        for path in kept {
            guard let place = try? Place(old.directory, path.names) else { continue }
            try? Syscall.unlink(at: place.fd, place.path)
        }
    }

    /// Takes away the names in `objects/` that no version refers to: a file that is still staged must not keep
    /// one. Not where it is unknown whether a version does.
    private func undo(_ walk: SealWalk, _ prepared: inout SealPreparation, _ linked: [Digest]) {
        guard workspace.isUsable else { return }
        // What stays of them is named by no version; gc removes it.
        if !walk.copied.isEmpty, let known = try? store.catalog.knownBlobs(walk.copied) {
            for digest in walk.copied where !known.contains(digest) { _ = try? store.blobs.remove(digest) }
        }
        prepared.undo(linked)
    }

    private func sealUpToCommit(
        _ walk: inout SealWalk, _ prepared: inout SealPreparation, _ linked: inout [Digest]
    ) throws(StoreError) -> (version: Version, mark: WorkspaceMark) {
        let parent = try workspace.baseVersion.flatMap { digest throws(StoreError) in
            try store.catalog.version(digest)
        }
        let root = try walk.run()
        assert(isRight(root, walk), "what was prepared is not what is staged")
        try prepared.keepOnly(walk.sum)
        // What was given a name in objects/ is in no version, so there is no need to compare.
        if !request.allowsEmpty, prepared.linked.isEmpty { try requireChange(root, since: parent, walk) }

        let generation = workspace.generation
        let manifest = Manifest(
            root: root, parent: workspace.baseVersion, time: try time(), author: request.author,
            message: request.message, run: request.run, metadata: request.metadata, workspace: workspace.name,
            generation: generation, openAtSeal: walk.openAtSeal.sorted { $0.path < $1.path })
        let mark = WorkspaceMark(generation: generation + 1, version: manifest.digest)
        // First: by it the next start knows that files may have names in objects/, if this is where it ends.
        try workspace.prepareNext(root: root, mark, keeping: walk, hasBegun: prepared.hasBegun)
        let asked = walk.sum.fresh.referenced.keys.filter { !prepared.wasAsked(for: $0) }
        let known = prepared.known.union(try store.catalog.knownBlobs(asked))
        for (digest, file) in walk.sum.files where prepared.linked[digest] == nil {
            if known.contains(digest) {
                try walk.mend(digest, with: file)
            } else {
                try store.blobs.adopt(file.place, as: digest)
                linked.append(digest)
                try requireSame(file, as: digest)
            }
        }
        try store.sync(linked + walk.copied, isWhole: !walk.kept.isEmpty)
        try workspace.syncNext(store.lostWrites)
        let new = Sealing.newBlobs(walk.sum, prepared, known)
        var nodes = prepared.deltas
        try nodes.add(walk.editor, store.catalog)
        if !nodes.deltas.isEmpty { try store.raiseFormat(to: StoreFormat.deltas) }
        let commit = Catalog.Commit(
            manifest: manifest, nodes: walk.editor.newNodes.filter { !prepared.stored.contains($0.key) },
            deltas: nodes.deltas, blobs: new,
            inodeNumbers: walk.numbering.changes, newBytes: new.rows.reduce(0) { $0 &+ $1.size },
            tags: request.tags, movesTags: request.movesTags,
            pins: request.pins)
        // A program's fsync may have failed meanwhile.
        try store.lostWrites.requireNone()
        if store.lostWrites.mustCopy, !walk.copies {
            throw StoreError(
                .system(.noSpace),
                "a sync failed while the version was made, so what is staged may not be on the disk",
                subject: "staging", hint: "make room and commit again, which writes all of it anew")
        }
        do throws(StoreError) { return (try store.catalog.commit(commit), mark) } catch {
            // The next start may find the version. Its objects must be there then, and as they are now: some
            // of them are files that are still staged.
            if !store.catalog.isSettled { workspace.stop() }
            throw error
        }
    }

    private static func newBlobs(
        _ sum: SealSum, _ prepared: SealPreparation, _ known: Set<Digest>
    ) -> Catalog.NewBlobs {
        guard sum.isAsPrepared else { return Catalog.NewBlobs(sum.fresh.referenced, but: known) }
        let others = sum.fresh.referenced.filter { sum.prepared.referenced[$0.key] == nil }
        return prepared.newBlobs + Catalog.NewBlobs(others, but: known)
    }

    /// Whether a walk over everything finds the same, as far as it looks. Files that were open may have been written to
    /// since, and closed.
    private func isRight(_ root: TreeEntry, _ walk: SealWalk) -> Bool {
        if !walk.kept.isEmpty { return true }
        var other = SealWalk(workspace, store, .include, isAhead: true, trustsNotes: false)
        // A disk that fails just now proves nothing.
        guard let found = try? other.lookAhead() else { return true }
        return found == root && other.numbering.changes == walk.numbering.changes
    }

    /// - Throws: ``StoreError`` where the object is not the file that was hashed: better no version than a wrong one.
    private func requireSame(_ file: SealWalk.StagedFile, as digest: Digest) throws(StoreError) {
        if let status = try store.blobs.status(digest), UInt64(status.st_ino) == file.inode { return }
        throw StoreError(
            .busy, "another file has taken its place while it was sealed", subject: file.place.display,
            hint: "commit again")
    }

    /// Now, but never before the version that came before: a clock that was set back must not turn the order
    /// of versions around.
    private func time() throws(StoreError) -> Timestamp {
        // A version's time is one number of nanoseconds, in its manifest and in the catalog.
        let now = Timestamp(nanoseconds: store.now().nanoseconds)
        guard let latest = try store.catalog.latestVersion() else { return now }
        return max(now, latest.manifest.time)
    }

    private func requireChange(
        _ root: TreeEntry, since parent: Version?, _ walk: SealWalk
    ) throws(StoreError) {
        let isSame: Bool
        if let parent {
            isSame = try TreeDiff(walk.trees).areEqual(parent.manifest.root, root)
        } else {
            isSame = root.tree == Digest.of(TreeNode.empty.encoded())
        }
        guard isSame else { return }
        throw StoreError(
            .nothingToCommit, parent.map { "nothing has changed since \($0.number)" } ?? "nothing is staged",
            subject: "staging", hint: "write below staging/ first, or give --allow-empty")
    }
}

extension Store {
    /// Up to this many new objects are synced one by one; more are synced with their whole filesystem.
    static let fileSyncCountMax = 64

    /// Makes new objects durable that the catalog is about to name.
    ///
    /// - Parameter isWhole: `next/` has directories of its own, too.
    func sync(_ added: [Digest], isWhole: Bool = false) throws(StoreError) {
        if added.isEmpty, !isWhole { return }
        if isWhole || added.count > Store.fileSyncCountMax { return try syncFilesystem() }
        do throws(StoreError) {
            try Parallel.forEach(added, width: 4) { digest throws(StoreError) in
                let object = try blobs.open(digest)
                try system("sync", digest.hex) { () throws(Errno) in
                    try lostWrites.watching { () throws(Errno) in try Syscall.sync(object.fd) }
                }
            }
        } catch {
            // An ordinary user's file may deny reading to its owner, and its mode is the user's until the commit.
            guard error.errno == .permissionDenied else { throw error }
            return try syncFilesystem()
        }
        try blobs.sync(directoriesOf: added)
    }
}

extension Workspace {
    /// Makes `next/`: an empty directory over the new version, but for files that stay staged.
    ///
    /// - Parameter hasBegun: whether one was made when the first file was given a name in `objects/`.
    fileprivate func prepareNext(
        root: TreeEntry, _ mark: WorkspaceMark, keeping walk: SealWalk, hasBegun: Bool
    ) throws(StoreError) {
        if hasBegun {
            try Workspace.relayUpper(Workspace.nextName, in: directory, overlay, root: root, mark)
        } else {
            try Workspace.makeUpper(
                Workspace.nextName, in: directory, overlay, root: root, mark, syncs: false)
        }
        guard !walk.kept.isEmpty else { return }
        let next = try system("open", "next/") { () throws(Errno) in
            try Syscall.open(at: directory.fd, Workspace.nextName, O_RDONLY | O_DIRECTORY)
        }
        for path in walk.kept.sorted() {
            for depth in 1..<max(1, path.names.count) {
                let names = Array(path.names.prefix(depth))
                let place = try Place(next, names)
                guard try overlay.probe(place) == nil, let entry = walk.directories[TreePath(names: names)]
                else {
                    continue
                }
                try overlay.layDirectory(entry.entry, inode: entry.inode, at: place)
            }
            let source = try self.place(path.names)
            try overlay.prepared(for: try Place(next, path.names)) { name throws(StoreError) in
                try system("keep", path.display) { () throws(Errno) in
                    try Syscall.link(at: source.fd, source.path, to: overlay.temporary.fd, name)
                }
            }
        }
    }

    fileprivate func syncNext(_ lostWrites: LostWrites) throws(StoreError) {
        try system("sync", "next/") { () throws(Errno) in
            try lostWrites.watching { () throws(Errno) in
                try Syscall.syncDirectory(at: directory.fd, Workspace.nextName)
                try Syscall.sync(directory.fd)
            }
        }
    }
}
