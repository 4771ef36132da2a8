internal import Glibc
public import Objects
public import Store
internal import SystemPackage

// Changes in staging as a mount makes them, by plain files laid over the base.
extension StoreFixture {
    private var overlay: Overlay { workspace.overlay }
    private var view: StagedView { StagedView(workspace, store) }

    /// Makes or replaces a file, and directories above it that are missing.
    @discardableResult
    public func write(_ path: TreePath, _ bytes: [UInt8], mode: UInt16 = 0o644) throws -> Place {
        let place = try clear(path)
        let file = try overlay.createFile(place, mode: mode)
        let count = try bytes.withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
        guard count == bytes.count else { throw Errno.noSpace }
        return place
    }

    /// Opens a staged file for writing as long as `body` runs.
    public func edit(_ place: Place, _ body: (Int32) throws -> Void) throws {
        let file = try Syscall.open(at: place.fd, place.path, O_RDWR)
        try body(file.fd)
        withExtendedLifetime(file) {}
    }

    /// Makes a directory, and those above it that are missing.
    @discardableResult
    public func makeDirectory(_ path: TreePath, mode: UInt16 = 0o755) throws -> Place {
        let place = try clear(path)
        try overlay.createSpecial(place, .directory, mode: mode, device: 0, target: [])
        return place
    }

    @discardableResult
    public func makeSymlink(_ path: TreePath, to target: String) throws -> Place {
        let place = try clear(path)
        try overlay.createSpecial(place, .symlink, mode: 0o777, device: 0, target: Array(target.utf8))
        return place
    }

    @discardableResult
    public func makeSpecial(_ path: TreePath, _ kind: EntryKind, device: UInt64 = 0) throws -> Place {
        let place = try clear(path)
        try overlay.createSpecial(place, kind, mode: 0o640, device: device, target: [])
        return place
    }

    /// Gives a staged file another name.
    public func link(_ path: TreePath, as newPath: TreePath) throws {
        let source = try upper(path)
        let target = try clear(newPath)
        try overlay.link(to: target) { directory, name throws(Errno) in
            try Syscall.link(at: source.fd, source.path, to: directory, name)
        }
    }

    /// Removes whatever staging shows at a path, with what is below it.
    public func remove(_ path: TreePath) throws {
        let place = try clear(path)
        if try isInBase(path) { try overlay.addWhiteout(place) }
    }

    /// Moves what staging shows at a path, without looking at what is below it.
    public func rename(_ path: TreePath, to newPath: TreePath) throws {
        let source = try upper(path)
        let isDirectory = try overlay.probe(source)?.isDirectory == true
        let target = try clear(newPath)
        try overlay.move(
            source, to: target, isDirectory: isDirectory, try isInBase(path) ? .whiteout : .nothing)
    }

    /// The place in `upper/` of what staging shows at a path: laid over the base where it was not there. A file
    /// of the base becomes a reference, whose bytes are not to be written to.
    public func upper(_ path: TreePath) throws -> Place {
        if case .upper(_, let place) = try view.find(path) { return place }
        guard case .base(let entry) = try view.find(path), let name = path.names.last else {
            throw Errno.noSuchFileOrDirectory
        }
        let place = try view.layParents(of: path).parent.child(name)
        try overlay.layEntry(entry, inode: nil, at: place)
        return place
    }

    /// What staging shows below a path, in order, as text; directories end in `/`.
    public func staged(_ path: TreePath = .root) throws -> [String] {
        var paths: [String] = []
        let found = try view.find(path)
        for name in try view.names(in: found) {
            let child = path.appending(name)
            let isDirectory = try view.find(child).isDirectory
            paths.append(child.display + (isDirectory ? "/" : ""))
            if isDirectory { paths += try staged(child) }
        }
        return paths
    }

    /// The bytes that staging shows.
    public func stagedBytes(_ path: TreePath) throws -> [UInt8] {
        let (file, size): (Descriptor, UInt64)
        switch try view.find(path) {
        case .nothing: throw Errno.noSuchFileOrDirectory
        case .base(let entry):
            guard let blob = entry.blob else { throw Errno.isDirectory }
            (file, size) = (try store.blobs.open(blob), entry.size)
        case .upper(let upper, let place):
            if let reference = upper.reference {
                (file, size) = (try store.blobs.open(reference.digest), reference.size)
            } else {
                (file, size) = (try Syscall.open(at: place.fd, place.path, 0), UInt64(upper.status.st_size))
            }
        }
        var bytes = [UInt8](repeating: 0, count: Int(size))
        _ = try bytes.withUnsafeMutableBytes { try Syscall.read(file.fd, into: $0, at: 0) }
        return bytes
    }

    /// A place with nothing in `upper/`, in directories that are there.
    private func clear(_ path: TreePath) throws -> Place {
        let (parent, missing) = try view.layParents(of: path)
        var place = parent
        for name in missing.dropLast() {
            place = try place.child(name)
            try overlay.createSpecial(place, .directory, mode: 0o755, device: 0, target: [])
        }
        guard let name = path.names.last else { preconditionFailure("the root stays") }
        place = try place.child(name)
        if let found = try overlay.probe(place) {
            if found.isDirectory {
                try overlay.removeDirectory(place, leavesWhiteout: false)
            } else {
                try overlay.remove(place, leavesWhiteout: false)
            }
        }
        return place
    }

    private func isInBase(_ path: TreePath) throws -> Bool {
        guard let name = path.names.last else { return true }
        let parent = try view.find(TreePath(names: path.names.dropLast()))
        return try parent.baseTree.map { try store.trees.entry(name, in: $0) != nil } ?? false
    }
}
