internal import Glibc
public import Objects
public import SystemPackage

// Making and moving what is `upper/`'s own. All of it must already lie there; what the base has of a name is
// the caller's to know.
extension Overlay {
    /// Makes a regular file and opens it for reading and writing. `mode` is what it gets: the daemon's umask is
    /// 0. Over a whiteout as well.
    ///
    /// - Throws: ``StoreError`` with `.fileExists`.
    public func createFile(_ place: Place, mode: UInt16) throws(StoreError) -> Descriptor {
        let flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
        do throws(Errno) {
            return try Syscall.open(at: place.fd, place.path, flags, mode: mode_t(mode))
        } catch {
            guard error == .fileExists, try probe(place)?.isWhiteout == true else {
                throw StoreError(error, doing: "create", subject: place.display)
            }
        }
        var made: Descriptor?
        try prepared(for: place, keepsParentTime: false) { name throws(StoreError) in
            try inheriting(from: place, name) { directory, name throws(Errno) in
                made = try Syscall.open(at: directory, name, flags, mode: mode_t(mode))
            }
        }
        guard let made else { preconditionFailure("prepared calls its body") }
        return made
    }

    /// Makes a file without a name, in the directory at `place`.
    public func createNameless(_ place: Place, mode: UInt16) throws(StoreError) -> Descriptor {
        try system("create a file without a name in", place.display) { () throws(Errno) in
            try Syscall.open(at: place.fd, place.path, O_RDWR | Syscall.nameless, mode: mode_t(mode))
        }
    }

    /// Makes anything but a regular file. Over a whiteout as well.
    ///
    /// - Throws: ``StoreError`` with `.fileExists`.
    public func createSpecial(
        _ place: Place, _ kind: EntryKind, mode: UInt16, device: UInt64, target: [UInt8]
    ) throws(StoreError) {
        let make = { (directory: Int32, path: RawPath) throws(Errno) in
            switch kind {
            case .directory: try Syscall.makeDirectory(at: directory, path, mode: mode_t(mode))
            case .symlink: try Syscall.makeSymlink(at: directory, path, target: RawPath(target))
            default:
                try Syscall.makeNode(
                    at: directory, path, mode: kind.fileType | mode_t(mode), device: dev_t(device))
            }
        }
        let looksDeleted = kind == .characterDevice && device == 0
        do throws(Errno) {
            // That one must not be seen before it is told from a whiteout.
            if looksDeleted { throw .fileExists }
            return try make(place.fd, place.path)
        } catch {
            guard error == .fileExists, try probe(place)?.isWhiteout ?? looksDeleted else {
                throw StoreError(error, doing: "create", subject: place.display)
            }
        }
        try prepared(for: place, keepsParentTime: false) { name throws(StoreError) in
            try inheriting(from: place, name, make)
            if looksDeleted { try markAsDevice(temporary.place(name)) }
        }
    }

    /// Makes something under the temporary name `name` that has what the directory of `place` passes on to what
    /// is made in it: its group and its default access list. See: `man 5 acl`, `man 7 inode`.
    private func inheriting(
        from place: Place, _ name: RawPath, _ make: (Int32, RawPath) throws(Errno) -> Void
    ) throws(StoreError) {
        let parent = Place(directory: place.directory, path: RawPath(place.path.parentBytes))
        try system("create", place.display) { () throws(Errno) in
            let status = try Syscall.stat(at: parent.fd, parent.path)
            let list = try Syscall.attribute(parent.absolute, Overlay.defaultAccessList)
            if status.st_mode & S_ISGID == 0, list == nil { return try make(temporary.fd, name) }
            let nursery = temporary.name()
            defer { temporary.discard(nursery) }
            try Syscall.makeDirectory(at: temporary.fd, nursery, mode: 0o700)
            let directory = try Syscall.open(at: temporary.fd, nursery, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            if status.st_mode & S_ISGID != 0 {
                try Syscall.changeOwner(directory.fd, uid: nil, gid: status.st_gid)
                try Syscall.changeMode(directory.fd, S_ISGID | 0o700)
            }
            if let list { try Syscall.setAttribute(directory.fd, Overlay.defaultAccessList, list) }
            try make(directory.fd, name)
            try Syscall.rename(at: directory.fd, name, to: temporary.fd, name)
        }
    }

    private static let defaultAccessList = RawPath("system.posix_acl_default")

    /// Gives a file another name. Over a whiteout as well.
    ///
    /// - Parameter link: makes the new name by `linkat`, given where.
    public func link(
        to place: Place, _ link: (Int32, RawPath) throws(Errno) -> Void
    ) throws(StoreError) {
        do throws(Errno) { return try link(place.fd, place.path) } catch {
            guard error == .fileExists, try probe(place)?.isWhiteout == true else {
                throw StoreError(error, doing: "link", subject: place.display)
            }
        }
        try prepared(for: place, keepsParentTime: false) { name throws(StoreError) in
            try system("link", place.display) { () throws(Errno) in try link(temporary.fd, name) }
        }
    }

    /// Takes away a name of something that is no directory.
    public func remove(_ place: Place, leavesWhiteout: Bool) throws(StoreError) {
        if leavesWhiteout { return try whiteOut(place) }
        try system("remove", place.display) { () throws(Errno) in
            try Syscall.unlink(at: place.fd, place.path)
        }
    }

    /// What a move leaves at the old name.
    public enum Remainder: Hashable, Sendable {
        case nothing
        /// The base has the name.
        case whiteout
        /// A character device 0:0. See: `man 2 rename`, RENAME_WHITEOUT.
        case device
    }

    /// Moves what lies at `source` to `target`, over what may lie there, in one step of the filesystem; for a device
    /// in two.
    ///
    /// A directory at `target` must show nothing; it may hold whiteouts.
    public func move(
        _ source: Place, to target: Place, isDirectory: Bool, _ leaves: Remainder
    ) throws(StoreError) {
        if leaves == .device {
            // A deletion until the device is there: what the base has does not come back.
            return try prepared(for: source, keepsParentTime: false) { name throws(StoreError) in
                try system("make", source.display) { () throws(Errno) in
                    try Syscall.makeNode(at: temporary.fd, name, mode: S_IFCHR, device: 0)
                }
                try markAsDevice(temporary.place(name))
                try move(source, to: target, isDirectory: isDirectory, .whiteout)
            }
        }
        let leavesWhiteout = leaves == .whiteout
        let replaced = isDirectory ? try probe(target) : nil
        guard let replaced else {
            return try rename(source, target, leavesWhiteout ? .whiteout : [])
        }
        // A directory replaces neither a whiteout nor a directory that is not empty natively, so the two change
        // places and what was replaced is dealt with at the old name.
        try rename(source, target, .exchange)
        do throws(StoreError) {
            if replaced.isWhiteout {
                if !leavesWhiteout { try remove(source, leavesWhiteout: false) }
            } else {
                try removeDirectory(source, leavesWhiteout: leavesWhiteout)
            }
        } catch {
            // A disk too full for a whiteout, say: who called believes that nothing was moved.
            try rename(source, target, .exchange)
            throw error
        }
    }

    /// Both names stay, each with what the other had.
    public func exchange(_ first: Place, _ second: Place) throws(StoreError) {
        try rename(first, second, .exchange)
    }

    private func rename(
        _ source: Place, _ target: Place, _ flags: Syscall.RenameFlags
    ) throws(StoreError) {
        try system("rename", source.display) { () throws(Errno) in
            try Syscall.rename(at: source.fd, source.path, to: target.fd, target.path, flags)
        }
    }
}
