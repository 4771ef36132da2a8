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
    private let inode: (TreePath) -> UInt64?
    private(set) var rubbish: [RawPath] = []

    private var overlay: Overlay { workspace.overlay }

    /// - Parameter inode: the number a directory has in the mount, where the mount knows it.
    init(_ workspace: Workspace, _ trees: TreeStore, inode: @escaping (TreePath) -> UInt64?) {
        self.workspace = workspace
        self.inode = inode
        view = StagedView(workspace, trees)
    }

    /// Makes `path` show `entry` with all that is below it.
    ///
    /// - Parameter parents: the entries of directories above it, for those that staging lacks.
    mutating func put(
        _ entry: TreeEntry, at path: TreePath, parents: (TreePath) throws(StoreError) -> TreeEntry
    ) throws(StoreError) {
        if case .base(let shown) = try view.find(path), shown == entry { return }
        let (parent, missing) = try view.layParents(of: path, inode: inode)
        if missing.count == 1, let tree = try overlay.probe(parent)?.baseTree,
            try view.trees.entry(entry.name, in: tree) == entry
        {
            // The base has it: nothing is needed over it.
            return try remove(try parent.child(entry.name), from: parent)
        }
        let overlay = overlay
        try place(missing, in: parent, at: path, parents) { place throws(StoreError) in
            try overlay.make(entry, inode: nil, at: place)
        }
    }

    /// Puts what lies at `prepared`, in `tmp/`, at `path`.
    mutating func put(
        prepared: RawPath, at path: TreePath, parents: (TreePath) throws(StoreError) -> TreeEntry
    ) throws(StoreError) {
        let (parent, missing) = try view.layParents(of: path, inode: inode)
        let temporary = overlay.temporary
        try place(missing, in: parent, at: path, parents) { place throws(StoreError) in
            try system("place", path.display) { () throws(Errno) in
                try Syscall.rename(at: temporary.fd, prepared, to: place.fd, place.path)
            }
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
            if isTaken { rubbish.append(name) }
        } catch {
            overlay.temporary.discard(name)
            throw error
        }
        try sync(parent)
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
            try overlay.writer.dress(place, as: entry, subject: path.display)
        }
    }

    private mutating func remove(_ target: Place, from parent: Place) throws(StoreError) {
        let name = overlay.temporary.name()
        let isTaken = try overlay.probe(target) != nil
        guard isTaken else { return }
        try system("remove", target.display) { () throws(Errno) in
            try Syscall.rename(at: target.fd, target.path, to: overlay.temporary.fd, name)
        }
        rubbish.append(name)
        try sync(parent)
    }

    private func sync(_ directory: Place) throws(StoreError) {
        try system("sync", directory.display) { () throws(Errno) in
            try Syscall.syncDirectory(at: directory.fd, directory.path)
        }
    }
}
