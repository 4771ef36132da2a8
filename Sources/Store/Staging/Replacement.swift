internal import Glibc
internal import Objects
internal import SystemPackage

/// Puts other things in the place of what staging shows. The gate must be closed.
///
/// Each is made complete in `tmp/` and placed by one rename, durably: a crash finds the path as it was or as it is
/// to be. What it replaced goes to `tmp/`, to be discarded when the gate is open again.
struct Replacement {
    private let workspace: Workspace
    private let view: StagedView
    private(set) var rubbish: [RawPath] = []
    /// How many paths show something else already.
    private(set) var changeCount = 0

    private var overlay: Overlay { workspace.overlay }

    init(_ workspace: Workspace, _ store: Store) {
        self.workspace = workspace
        view = StagedView(workspace, store)
    }

    /// Makes `path` show `entry` with all that is below it.
    ///
    /// - Parameter parents: the entries of directories above it, for those that staging lacks.
    mutating func put(
        _ entry: TreeEntry, at path: TreePath, parents: (TreePath) throws(StoreError) -> TreeEntry
    ) throws(StoreError) {
        if case .base(let shown) = try view.find(path), shown == entry { return }
        let (parent, missing) = try view.layParents(of: path)
        if missing.count == 1, let tree = try overlay.probe(parent)?.baseTree,
            try view.trees.entry(entry.name, in: tree) == entry
        {
            // The base has it: nothing is needed over it.
            return try remove(try parent.child(entry.name), at: path)
        }
        let overlay = overlay
        try place(missing, in: parent, at: path, parents) { place throws(StoreError) in
            // Another file than the one of that name before, with another number.
            try overlay.make(entry, inode: InodeNumber.random(), at: place)
            // A rename brings the attributes of what it moves; what lies in a directory that is moved must be
            // durable before.
            let canBeOpened = entry.kind == .file || entry.kind == .directory
            if canBeOpened || missing.count > 1 { try Replacement.settle(place, canBeOpened: canBeOpened) }
        }
    }

    /// Puts what lies at `prepared`, in `tmp/`, at `path`.
    mutating func put(
        prepared: RawPath, at path: TreePath, parents: (TreePath) throws(StoreError) -> TreeEntry
    ) throws(StoreError) {
        let (parent, missing) = try view.layParents(of: path)
        let overlay = overlay
        let temporary = overlay.temporary
        try place(missing, in: parent, at: path, parents) { place throws(StoreError) in
            try system("place", path.display) { () throws(Errno) in
                try Syscall.rename(at: temporary.fd, prepared, to: place.fd, place.path)
            }
            guard let found = try overlay.probe(place), let kind = found.file.kind else { return }
            try overlay.mark(place, kind, UpperMark(inode: InodeNumber.random(), flags: found.mark.flags))
        }
    }

    /// - Parameters:
    ///   - missing: what of `path` is not in `parent`; all but the last are directories to be made first.
    ///   - make: makes the last at the place it is given.
    private mutating func place(
        _ missing: [FileName], in parent: Place, at path: TreePath,
        _ parents: (TreePath) throws(StoreError) -> TreeEntry, _ make: (Place) throws(StoreError) -> Void
    ) throws(StoreError) {
        guard let first = missing.first else { preconditionFailure("a path below the root has a last name") }
        let name = overlay.temporary.name()
        do throws(StoreError) {
            try build(missing, of: path, at: overlay.temporary.place(name), parents, make)
            let target = try parent.child(first)
            let isTaken = try overlay.probe(target) != nil
            try system("place", path.display) { () throws(Errno) in
                try Syscall.rename(
                    at: overlay.temporary.fd, name, to: target.fd, target.path,
                    isTaken ? .exchange : .noReplace)
            }
            changeCount += 1
            if isTaken { rubbish.append(name) }
        } catch {
            overlay.temporary.discard(name)
            throw error
        }
        try sync(above: path, missing: missing.count)
    }

    private func build(
        _ missing: [FileName], of path: TreePath, at first: Place,
        _ parents: (TreePath) throws(StoreError) -> TreeEntry, _ make: (Place) throws(StoreError) -> Void
    ) throws(StoreError) {
        var place = first
        var made: [(place: Place, entry: TreeEntry)] = []
        for index in 1..<missing.count {
            let depth = path.names.count - missing.count + index
            let entry = try parents(TreePath(names: Array(path.names.prefix(depth))))
            try overlay.writer.make(entry, at: place)
            made.append((place, entry))
            place = try place.child(missing[index])
        }
        try make(place)
        // A directory's time, last of all, after what is in it.
        for (place, entry) in made.reversed() {
            let mark = UpperMark(inode: InodeNumber.random())
            try overlay.writer.dress(place, as: entry, mark: mark, subject: path.display)
            try Replacement.settle(place, canBeOpened: true)
        }
    }

    private mutating func remove(_ target: Place, at path: TreePath) throws(StoreError) {
        let name = overlay.temporary.name()
        let isTaken = try overlay.probe(target) != nil
        guard isTaken else { return }
        try system("remove", target.display) { () throws(Errno) in
            try Syscall.rename(at: target.fd, target.path, to: overlay.temporary.fd, name)
        }
        changeCount += 1
        rubbish.append(name)
        try sync(above: path, missing: 1)
    }

    /// Makes the directories of `upper/` above the last `missing` names of `path` durable, all the way up: those
    /// between may have been laid over the base just now.
    private func sync(above path: TreePath, missing: Int) throws(StoreError) {
        for depth in (0...path.names.count - missing).reversed() {
            try Replacement.settle(try workspace.place(path.names.prefix(depth)), canBeOpened: true)
        }
    }

    /// Makes one thing durable; with all else on the disk where it cannot be opened.
    private static func settle(_ place: Place, canBeOpened: Bool) throws(StoreError) {
        try system("sync", place.display) { () throws(Errno) in
            do throws(Errno) {
                guard canBeOpened else { return try Syscall.syncFilesystem(place.fd) }
                let opened = try Syscall.openForReading(place)
                try Syscall.sync(opened.fd)
            } catch {
                // An ordinary user's own file or directory may deny reading.
                guard error == .permissionDenied else { throw error }
                try Syscall.syncFilesystem(place.fd)
            }
        }
    }
}
