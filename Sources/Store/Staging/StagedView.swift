package import Objects
internal import SystemPackage

/// What a workspace shows, by path: `upper/` laid over its base. For work on whole trees; the mount has nodes of
/// its own. It remembers nothing, so it is right as long as nobody replaces `upper/`.
package struct StagedView: Sendable {
    let workspace: Workspace
    let store: Store
    var trees: TreeStore { store.trees }

    package init(_ workspace: Workspace, _ store: Store) {
        self.workspace = workspace
        self.store = store
    }

    package enum Found: Sendable {
        case nothing
        /// As the base has it.
        case base(TreeEntry)
        /// As `upper/` has it; never a whiteout.
        case upper(UpperEntry, Place)

        package var isDirectory: Bool {
            switch self {
            case .nothing: false
            case .base(let entry): entry.kind == .directory
            case .upper(let upper, _): upper.isDirectory
            }
        }

        /// The tree of the base that shows in a directory where `upper/` has nothing.
        package var baseTree: Digest? {
            switch self {
            case .nothing: nil
            case .base(let entry): entry.tree
            case .upper(let upper, _): upper.baseTree
            }
        }
    }

    /// - Throws: ``StoreError`` `.damaged` where the workspace has no `upper/`.
    func top() throws(StoreError) -> Found {
        let place = try workspace.place([])
        guard let top = try workspace.overlay.probe(place) else {
            throw StoreError(.damaged, "the workspace has no upper directory", subject: workspace.name)
        }
        return .upper(top, place)
    }

    package func find(_ path: TreePath) throws(StoreError) -> Found {
        var found = try top()
        for name in path.names { found = try child(name, of: found) }
        return found
    }

    /// - Returns: `.nothing` also where `directory` is none.
    func child(_ name: FileName, of directory: Found) throws(StoreError) -> Found {
        if case .upper(let upper, let place) = directory, upper.isDirectory {
            let childPlace = try place.child(name)
            if let child = try workspace.overlay.probe(childPlace) {
                return child.isWhiteout ? .nothing : .upper(child, childPlace)
            }
        }
        guard let tree = directory.baseTree, let entry = try trees.entry(name, in: tree) else {
            return .nothing
        }
        return .base(entry)
    }

    /// Every name a directory shows, in order.
    package func names(in directory: Found) throws(StoreError) -> [FileName] {
        var names: Set<FileName> = []
        if let tree = directory.baseTree {
            for entry in try trees.entries(in: tree) { names.insert(entry.name) }
        }
        if case .upper(_, let place) = directory {
            let staged = try system("list", place.display) { () throws(Errno) in
                try Syscall.names(at: place.fd, place.path)
            }
            for name in staged {
                if try workspace.overlay.probe(try place.child(name))?.isWhiteout == true {
                    names.remove(name)
                } else {
                    names.insert(name)
                }
            }
        }
        return names.sorted()
    }

    /// Gives the directories above `path` places of their own in `upper/`, which changes nothing of what shows.
    ///
    /// - Returns: the deepest directory above `path` that there is, in `upper/` now, and the names of `path`
    ///   that are missing below it: one, unless directories are missing too.
    /// - Throws: ``StoreError`` `.invalidInput` where the path leads through something that is no directory.
    package func layParents(
        of path: TreePath
    ) throws(StoreError) -> (parent: Place, missing: [FileName]) {
        var place = try workspace.place([])
        var found = try top()
        var number = try store.topNumber(of: workspace)
        for (index, name) in path.names.dropLast().enumerated() {
            let next = try child(name, of: found)
            let nextPlace = try place.child(name)
            switch next {
            case .nothing: return (place, Array(path.names[index...]))
            case .base(let entry) where entry.kind == .directory:
                number = try store.notedNumbers(in: number)[name] ?? InodeNumber.first(name, in: number)
                try workspace.overlay.layDirectory(entry, inode: number, at: nextPlace)
            case .upper(let upper, _) where upper.isDirectory:
                number = workspace.number(of: upper, name, in: number)
            case .base, .upper:
                throw StoreError(
                    .invalidInput, "a directory above it is a file in staging", subject: path.display,
                    hint: "restore or remove \(TreePath(names: Array(path.names[...index])).display) first")
            }
            found = next
            place = nextPlace
        }
        return (place, path.names.suffix(1))
    }
}
