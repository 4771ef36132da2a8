internal import Glibc
public import Objects
internal import SystemPackage

/// One way in which staging differs from the version it lies over, found without reading any file.
public struct StagedChange: Hashable, Sendable {
    public let path: TreePath
    /// `.changed` also for a file whose new bytes are the old ones: only hashing would tell. A directory that
    /// stands in another's place is one change, with those below it that are not as in the tree it shows.
    public let kind: TreeDifference.Kind
    /// What it is, or was where it is removed.
    public let entryKind: EntryKind
    /// Bytes of a file; 0 where it is removed and for anything else.
    public let size: UInt64
    /// Whether `upper/` holds the file's bytes, so that a commit has to hash them.
    let hasBytes: Bool
    /// The backing file, so that one with several names is counted once.
    let backing: UInt64
}

/// How much is staged.
public struct StagedSummary: Hashable, Sendable {
    /// Changes: what ``Store/stagedChanges(_:)`` lists.
    public var entries = 0
    /// Files that have bytes of their own in staging, those with several names once.
    public var files = 0
    /// Sum of their sizes.
    public var bytes: UInt64 = 0

    public init() {}
}

extension Store {
    /// What is staged, in order of path, a directory before what is below it. The cost follows the change.
    ///
    /// May run while programs write; what they change meanwhile may be listed or not.
    public func stagedChanges(_ workspace: Workspace) throws(StoreError) -> [StagedChange] {
        var changes: [StagedChange] = []
        try forEachStagedChange(workspace) { changes.append($0) }
        return changes
    }

    /// Counts what is staged.
    public func stagedCount(_ workspace: Workspace) throws(StoreError) -> StagedSummary {
        var summary = StagedSummary()
        var seen: Set<UInt64> = []
        try forEachStagedChange(workspace) { change in
            summary.entries += 1
            guard change.hasBytes, seen.insert(change.backing).inserted else { return }
            summary.files += 1
            summary.bytes += change.size
        }
        return summary
    }

    private func forEachStagedChange(
        _ workspace: Workspace, _ body: (StagedChange) -> Void
    ) throws(StoreError) {
        let view = StagedView(workspace, self)
        let walk = StagedWalk(view)
        guard case .upper(let top, let place) = try view.top() else { return }
        _ = try walk.run(top, at: place, path: .root, base: try baseRoot(of: workspace)) { change in
            body(change)
            return true
        }
    }

    /// Whether anything at `path` or below it is not as in the version staging lies over. Stops at the first.
    public func hasStagedChanges(_ workspace: Workspace, at path: TreePath) throws(StoreError) -> Bool {
        let view = StagedView(workspace, self)
        let base = try trees.entry(at: path, below: try baseRoot(of: workspace))
        switch try view.find(path) {
        case .nothing: return base != nil
        case .base(let entry): return entry != base
        case .upper(let upper, let place):
            return try !StagedWalk(view).run(upper, at: place, path: path, base: base) { _ in false }
        }
    }

    /// The root of the version a workspace lies over; an empty one before the first.
    func baseRoot(of workspace: Workspace) throws(StoreError) -> TreeEntry {
        guard let digest = workspace.baseVersion else {
            return Workspace.firstRoot(Digest.of(TreeNode.empty.encoded()))
        }
        guard let version = try catalog.version(digest) else {
            throw StoreError(
                .damaged, "the version that staging lies over is not in the catalog", subject: digest.hex)
        }
        return version.manifest.root
    }
}

/// Compares `upper/` with the base version, path by path.
struct StagedWalk {
    private let view: StagedView

    init(_ view: StagedView) {
        self.view = view
    }

    /// - Parameters:
    ///   - found: what lies at `place`; no whiteout.
    ///   - base: what the base version has at `path`.
    ///   - body: returns whether to go on.
    /// - Returns: whether the end was reached.
    func run(
        _ found: UpperEntry, at place: Place, path: TreePath, base: TreeEntry?, _ body: (StagedChange) -> Bool
    ) throws(StoreError) -> Bool {
        // Not by recursion: the depth of a tree is the user's.
        var levels: [Level] = []
        guard try visit(found, at: place, path: path, base: base, &levels, body) else { return false }
        while let last = levels.indices.last {
            guard let name = levels[last].names.popLast() else {
                levels.removeLast()
                continue
            }
            guard try child(name, of: levels[last], &levels, body) else { return false }
        }
        return true
    }

    /// A directory on the way to where the walk is.
    private struct Level {
        let place: Place
        let path: TreePath
        let baseTree: Digest?
        /// What is still to be looked at, the next one last.
        var names: [FileName]
    }

    private func visit(
        _ found: UpperEntry, at place: Place, path: TreePath, base: TreeEntry?, _ levels: inout [Level],
        _ body: (StagedChange) -> Bool
    ) throws(StoreError) -> Bool {
        guard let kind = EntryKind(mode: found.status.st_mode) else { return true }
        if let change = try change(found, kind, at: place, base: base) {
            let hasBytes = kind == .file && found.reference == nil
            let size = found.reference?.size ?? (hasBytes ? UInt64(found.status.st_size) : 0)
            let staged = StagedChange(
                path: path, kind: change, entryKind: kind, size: size, hasBytes: hasBytes,
                backing: UInt64(found.status.st_ino))
            guard body(staged) else { return false }
        }
        guard kind == .directory else { return true }
        let names = try names(in: place).sorted(by: >)
        levels.append(Level(place: place, path: path, baseTree: found.baseTree, names: names))
        return true
    }

    private func child(
        _ name: FileName, of level: Level, _ levels: inout [Level], _ body: (StagedChange) -> Bool
    ) throws(StoreError) -> Bool {
        let place = try level.place.child(name)
        guard let found = try probe(place) else { return true }
        let path = level.path.appending(name)
        let base = try level.baseTree.flatMap { tree throws(StoreError) in
            try view.trees.entry(name, in: tree)
        }
        guard found.isWhiteout else {
            return try visit(found, at: place, path: path, base: base, &levels, body)
        }
        guard let base else { return true }
        return body(
            StagedChange(
                path: path, kind: .removed, entryKind: base.kind, size: 0, hasBytes: false, backing: 0))
    }

    /// How what was found differs from the base; nil where it does not.
    private func change(
        _ found: UpperEntry, _ kind: EntryKind, at place: Place, base: TreeEntry?
    ) throws(StoreError) -> TreeDifference.Kind? {
        guard let base else { return .added }
        guard base.kind == kind else { return .type }
        let content: Content
        switch kind {
        case .directory:
            guard let tree = found.baseTree, tree == base.tree else { return .changed }
            content = base.content
        case .file:
            guard let reference = found.reference else { return .changed }
            content = .blob(reference.digest)
        case .symlink:
            content = .target(
                try system("read", place.display) { () throws(Errno) in
                    try Syscall.readSymlink(at: place.fd, place.path)
                })
        case .characterDevice, .blockDevice: content = .device(UInt64(found.status.st_rdev))
        case .fifo, .socket: content = .none
        }
        if content != base.content { return .changed }
        var entry = try view.workspace.overlay.entry(base.name, found, at: place, content, size: base.size)
        // A directory's time follows from what happened below it.
        if kind == .directory { entry.mtime = base.mtime }
        return entry == base ? nil : .attributes
    }

    /// What vanishes under the walk is not there.
    private func names(in place: Place) throws(StoreError) -> [FileName] {
        do throws(Errno) { return try Syscall.names(at: place.fd, place.path) } catch {
            if StagedWalk.isGone(error) { return [] }
            throw StoreError(error, doing: "list", subject: place.display)
        }
    }

    private func probe(_ place: Place) throws(StoreError) -> UpperEntry? {
        do throws(StoreError) { return try view.workspace.overlay.probe(place) } catch {
            if let errno = error.errno, StagedWalk.isGone(errno) { return nil }
            throw error
        }
    }

    /// Also what lies below something that is a symlink by now.
    private static func isGone(_ error: Errno) -> Bool {
        [.noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels].contains(error)
    }
}
