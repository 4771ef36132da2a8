internal import Glibc
public import Objects
internal import SystemPackage

extension Store {
    /// Throws away what is staged: staging shows the version it lies over, and nothing else.
    ///
    /// - Parameters:
    ///   - replaced: called with the gate still closed, when `upper/` is another.
    ///   - opened: called after it with the gate open, before the old `upper/` is removed, which may take seconds.
    public func abort(
        _ workspace: Workspace, replaced: () throws(StoreError) -> Void = {}, opened: () -> Void = {}
    ) throws(StoreError) {
        try exclusively("abort") { () throws(StoreError) in
            try workspace.requireUsable()
            let rubbish = try workspace.gate.close { () throws(StoreError) in
                let rubbish = try workspace.replaceUpper(with: try baseRoot(of: workspace), inode: nil)
                try workspace.settle(replaced)
                return rubbish
            }
            opened()
            temporary.discard(rubbish)
        }
    }

    /// Makes staging show what `version` has at each of `paths`, in place of what it shows there now. No bytes
    /// are copied, and a directory costs as much as a file.
    ///
    /// Each path changes in one step and durably; where one of several fails, those before it have changed.
    /// Directories above a path that staging lacks are made as the version has them.
    ///
    /// - Parameters:
    ///   - paths: the root is everything. Paths below other paths add nothing.
    ///   - force: whether staged changes there may be lost.
    ///   - replaced: called with the gate still closed, with the paths that have changed; also before an error
    ///     is thrown after some have.
    ///   - opened: called after it with the gate open, before what was there is removed, which may take seconds.
    /// - Throws: ``StoreError`` `.unknownPath` where the version has no such path, with similar names in the hint;
    ///   `.stagedChanges` where there are any and `force` is not given; `.invalidInput` where a directory above
    ///   is a file in staging. Nothing has changed then.
    public func restore(
        _ version: Version, paths: [TreePath], into workspace: Workspace, force: Bool,
        replaced: ([TreePath]) throws(StoreError) -> Void = { _ in }, opened: () -> Void = {}
    ) throws(StoreError) {
        try exclusively("restore") { () throws(StoreError) in
            try workspace.requireUsable()
            // Also those below others, of which one may be a slip.
            for path in paths { _ = try entry(at: path, of: version) }
            try replace(workspace, Store.outermost(paths), force: force, replaced, opened) {
                (replacement, path) throws(StoreError) in
                let entry = try entry(at: path, of: version)
                if path.isRoot {
                    // Another tree holds other files, though they may have the names of those before.
                    let isSame = try entry.tree == baseRoot(of: workspace).tree
                    return try workspace.replaceUpper(with: entry, inode: isSame ? nil : InodeNumber.random())
                }
                try replacement.put(entry, at: path) { parent throws(StoreError) in
                    try self.entry(at: parent, of: version)
                }
                return nil
            }
        }
    }

    /// Runs `put` for each path with the gate closed.
    ///
    /// - Parameter put: returns rubbish beside the replacement's own.
    func replace(
        _ workspace: Workspace, _ paths: [TreePath], force: Bool,
        _ replaced: ([TreePath]) throws(StoreError) -> Void, _ opened: () -> Void,
        _ put: (inout Replacement, TreePath) throws(StoreError) -> RawPath?
    ) throws(StoreError) {
        var rubbish: [RawPath] = []
        defer {
            opened()
            for name in rubbish { temporary.discard(name) }
        }
        try workspace.gate.close { () throws(StoreError) in
            if !force { try requireNothingStaged(workspace, at: paths) }
            var replacement = Replacement(workspace, self)
            var done: [TreePath] = []
            var changeCount = 0
            do throws(StoreError) {
                for path in paths {
                    changeCount = replacement.changeCount
                    if let name = try put(&replacement, path) { rubbish.append(name) }
                    done.append(path)
                }
                rubbish += replacement.rubbish
            } catch {
                rubbish += replacement.rubbish
                // It shows something else already, though that is not known to be durable.
                if replacement.changeCount > changeCount { done.append(paths[done.count]) }
                if !done.isEmpty { try workspace.settle { () throws(StoreError) in try replaced(done) } }
                throw error
            }
            try workspace.settle { () throws(StoreError) in try replaced(done) }
        }
    }

    /// - Throws: ``StoreError`` `.stagedChanges`, naming the path.
    func requireNothingStaged(_ workspace: Workspace, at paths: [TreePath]) throws(StoreError) {
        for path in paths where try hasStagedChanges(workspace, at: path) {
            throw StoreError(
                .stagedChanges, "there are staged changes that would be lost",
                subject: path.isRoot ? "staging" : path.display,
                hint: "commit them first, or give --force to lose them")
        }
    }

    /// The paths that lie below no other, in order.
    static func outermost(_ paths: [TreePath]) -> [TreePath] {
        var result: [TreePath] = []
        for path in paths.sorted() {
            if let last = result.last, path.names.starts(with: last.names) { continue }
            result.append(path)
        }
        return result
    }

    /// What `version` has at `path`.
    ///
    /// - Throws: ``StoreError`` `.unknownPath`, with similar names of the same directory in the hint.
    public func entry(at path: TreePath, of version: Version) throws(StoreError) -> TreeEntry {
        var entry = version.manifest.root
        for (index, name) in path.names.enumerated() {
            guard let tree = entry.tree else {
                throw StoreError(
                    .unknownPath, "\(version.number) has a file where the path wants a directory",
                    subject: path.display)
            }
            if let next = try trees.entry(name, in: tree) {
                entry = next
                continue
            }
            let directory = TreePath(names: Array(path.names[..<index]))
            let near = NearMatches.of(name.display, among: try trees.entries(in: tree).map(\.name.display))
            throw StoreError(
                .unknownPath, "\(version.number) has no such path", subject: path.display,
                hint: Store.suggestion(near.map { directory.isRoot ? $0 : "\(directory.display)/\($0)" })
                    ?? "paths begin at the top of staging; firn ls \(version.number):\(directory.display) lists "
                    + "what is there")
        }
        return entry
    }
}

extension Workspace {
    /// Puts an empty `upper/` over `root` in the place of this one, for the same generation and base version. The
    /// gate must be closed.
    ///
    /// - Parameter inode: the number from which those of what it holds follow; nil for the base version's.
    /// - Returns: the name of the old one in the temporary directory.
    func replaceUpper(with root: TreeEntry, inode: UInt64?) throws(StoreError) -> RawPath {
        let mark = self.mark
        try Workspace.makeUpper(Workspace.nextName, in: directory, overlay, root: root, mark, inode: inode)
        return try swapToNext(mark)
    }
}
