internal import Glibc
internal import Objects
internal import SystemPackage

/// Unpacks an archive that nobody vouches for into a directory that nobody else knows.
///
/// An entry that would reach outside is refused, and with it the archive: an absolute name, one with `..`, one
/// below something that the archive made a symlink or a file, a hard link to what the archive has not brought.
/// A name that comes again replaces what came before, as GNU tar has it; a directory is merged.
///
/// Memory is bounded by the longest name, and by what one entry's header holds.
package struct TarImport {
    private let reader: TarReader
    private let writer = EntryWriter()
    private let progress: Progress
    /// What a directory gets that the archive has entries in, but no entry for.
    private let implicit: TreeEntry
    /// The directories on the way to the last entry, the top first. Their attributes are set when they are left.
    private var levels: [Level] = []
    private var reported: UInt64 = 0
    private(set) var summary = ImportSummary()

    /// Deeper than any path that a program can name in one call.
    static let depthMax = 4096

    private struct Level {
        let place: Place
        let path: TreePath
        var entry: TreeEntry
    }

    /// - Parameter now: the time of directories that the archive does not list.
    init(_ reader: TarReader, now: Timestamp, progress: Progress) {
        self.reader = reader
        self.progress = progress
        implicit = TreeEntry(
            name: .root, kind: .directory, mode: 0o755, uid: geteuid(), gid: getegid(), size: 0, mtime: now,
            content: .tree(Digest.of([]), files: 0))
    }

    /// Unpacks what is open as `archive` into a new directory `name`, outside of any store.
    package static func unpack(
        _ archive: Descriptor, to name: RawPath, in directory: Descriptor
    ) throws(StoreError) -> ImportSummary {
        var unpacking = TarImport(
            try TarReader(archive.fd, name.display), now: Timestamp(nanoseconds: 0), progress: .none)
        try unpacking.unpack(into: Place(directory: directory, path: name))
        return unpacking.summary
    }

    /// Makes the directory `top`, where nothing may be yet, and unpacks everything into it.
    mutating func unpack(into top: Place) throws(StoreError) {
        try writer.make(implicit, at: top)
        levels = [Level(place: top, path: .root, entry: implicit)]
        summary.directories = 1
        while let item = try reader.next() {
            try add(item)
            advance()
        }
        try leave(downTo: 0)
    }

    private mutating func add(_ item: TarItem) throws(StoreError) {
        let path = try path(item.name, of: item)
        if case .directory = item.content {
            try enter(path.names[...], item)
            levels[levels.count - 1].entry = try entry(item, .directory, .tree(Digest.of([]), files: 0), path)
            return
        }
        guard let name = path.names.last else {
            throw refused("it is no directory, but named as the top of the archive", item)
        }
        try enter(path.names.dropLast(), item)
        let place = try levels[levels.count - 1].place.child(name)
        if case .hardLink(let target) = item.content {
            return try link(item, to: try self.path(target, of: item), at: place, path)
        }
        try clear(place, item)
        let kind: EntryKind
        switch item.content {
        case .file(let size):
            kind = .file
            try file(item, size: size, at: place, path)
        case .symbolicLink(let target):
            kind = .symlink
            guard !target.isEmpty else { throw refused("it is a symlink to nothing", item) }
            try special(try entry(item, kind, .target(target), path), at: place, path)
        case .special(let special, let device):
            kind = special
            let isDevice = kind == .characterDevice || kind == .blockDevice
            guard !isDevice || device != 0 else {
                throw refused("a device 0:0 means a deletion in staging", item)
            }
            try self.special(
                try entry(item, kind, isDevice ? .device(device) : .none, path), at: place, path)
        case .directory, .hardLink: preconditionFailure("dealt with before")
        }
        summary.count(kind)
    }

    private mutating func file(
        _ item: TarItem, size: Int64, at place: Place, _ path: TreePath
    ) throws(StoreError) {
        guard size >= 0 else { throw refused("its size is negative", item) }
        let entry = try entry(item, .file, .none, path)
        let file = try system("create", path.display) { () throws(Errno) in
            try Syscall.open(at: place.fd, place.path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        }
        try reader.copyBytes(to: file.fd, sizeMax: size, subject: item.display) { advance() }
        // A hole at the end.
        try system("write", path.display) { () throws(Errno) in try Syscall.truncate(file.fd, to: off_t(size))
        }
        try writer.dress(place, as: entry, subject: path.display)
        summary.bytes &+= UInt64(size)
    }

    private func special(_ entry: TreeEntry, at place: Place, _ path: TreePath) throws(StoreError) {
        try writer.make(entry, at: place)
        try writer.dress(place, as: entry, subject: path.display)
    }

    private mutating func link(
        _ item: TarItem, to target: TreePath, at place: Place, _ path: TreePath
    ) throws(StoreError) {
        var source = levels[0].place
        var kind: EntryKind?
        for (index, name) in target.names.enumerated() {
            source = try source.child(name)
            let status = try system("look at", item.display) { () throws(Errno) in
                try Syscall.statIfPresent(at: source.fd, source.path)
            }
            kind = status.flatMap { EntryKind(mode: $0.st_mode) }
            if kind != .directory, index < target.names.count - 1 { kind = nil }
            if kind == nil { break }
        }
        guard let kind, kind != .directory else {
            throw refused("it is a hard link to '\(target.display)', which the archive has not brought", item)
        }
        if target != path {
            try clear(place, item)
            try system("link", path.display) { () throws(Errno) in
                try Syscall.link(at: source.fd, source.path, to: place.fd, place.path)
            }
            summary.count(kind)
        }
    }

    // MARK: Directories

    /// Makes the last of ``levels`` the directory of these names, and leaves those that are not on the way to it.
    private mutating func enter(_ names: ArraySlice<FileName>, _ item: TarItem) throws(StoreError) {
        var depth = 0
        while depth < names.count, depth + 1 < levels.count,
            levels[depth + 1].path.names[depth] == names[names.startIndex + depth]
        {
            depth += 1
        }
        try leave(downTo: depth + 1)
        while depth < names.count {
            let name = names[names.startIndex + depth]
            let isLast = depth == names.count - 1
            depth += 1
            var replaces = false
            if isLast, case .directory = item.content { replaces = true }
            try enter(name, replaces: replaces, item)
        }
    }

    private mutating func enter(_ name: FileName, replaces: Bool, _ item: TarItem) throws(StoreError) {
        let parent = levels[levels.count - 1]
        let (place, path) = (try parent.place.child(name), parent.path.appending(name))
        let status = try system("look at", path.display) { () throws(Errno) in
            try Syscall.statIfPresent(at: place.fd, place.path)
        }
        if let status, status.st_mode & S_IFMT == S_IFDIR {
            levels.append(Level(place: place, path: path, entry: try reopen(place, status, path)))
            return
        }
        if status != nil {
            guard replaces else {
                throw refused("it lies below '\(path.display)', which the archive has as no directory", item)
            }
            try clear(place, item)
        }
        try writer.make(implicit, at: place)
        summary.directories += 1
        levels.append(Level(place: place, path: path, entry: implicit))
    }

    /// A directory that was left already: as it was made, so that new entries get nothing from it, and with what
    /// must be set once more when it is left again.
    private func reopen(_ place: Place, _ status: stat, _ path: TreePath) throws(StoreError) -> TreeEntry {
        let list = Array("system.posix_acl_default".utf8)
        let inherited = try system("look at", path.display) { () throws(Errno) in
            let value = try Syscall.attribute(at: place.fd, place.path, RawPath(list))
            if value != nil { try Syscall.removeAttribute(at: place.fd, place.path, RawPath(list)) }
            try Syscall.changeMode(at: place.fd, place.path, 0o700)
            return value
        }
        return TreeEntry(
            name: .root, kind: .directory, mode: UInt16(status.st_mode & 0o7777), uid: status.st_uid,
            gid: status.st_gid, size: 0, mtime: Timestamp(status.st_mtim), content: implicit.content,
            xattrs: inherited.map { [ExtendedAttribute(name: list, value: $0)] } ?? [])
    }

    private mutating func leave(downTo count: Int) throws(StoreError) {
        while levels.count > count {
            let level = levels.removeLast()
            try writer.dress(level.place, as: level.entry, subject: level.path.display)
        }
    }

    /// Takes away what the archive had under this name before.
    private mutating func clear(_ place: Place, _ item: TarItem) throws(StoreError) {
        let status = try system("look at", item.display) { () throws(Errno) in
            try Syscall.statIfPresent(at: place.fd, place.path)
        }
        guard let status, let kind = EntryKind(mode: status.st_mode) else { return }
        guard kind == .directory else {
            try system("replace", item.display) { () throws(Errno) in
                try Syscall.unlink(at: place.fd, place.path)
            }
            return summary.discount(kind)
        }
        do throws(Errno) { try Syscall.removeDirectory(at: place.fd, place.path) } catch {
            guard error == .directoryNotEmpty || error == .fileExists else {
                throw StoreError(error, doing: "replace", subject: item.display)
            }
            throw refused("the archive has it as a directory that is not empty, too", item)
        }
        summary.directories -= 1
    }

    // MARK: What is refused

    private func path(_ name: [UInt8], of item: TarItem) throws(StoreError) -> TreePath {
        guard !name.isEmpty else { throw refused("an entry has no name", item) }
        guard name.first != UInt8(ascii: "/") else {
            throw refused(
                "its name is absolute", item,
                hint: "make the archive with relative names (tar without -P); nothing was imported")
        }
        let parts = name.split(separator: UInt8(ascii: "/"))
        guard !parts.contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw refused("its name has '..' in it", item)
        }
        guard parts.count <= TarImport.depthMax else { throw refused("it lies too deep", item) }
        do throws(ObjectError) { return try TreePath(name) } catch {
            throw refused("a part of its name is longer than \(FileName.byteCountMax) bytes", item)
        }
    }

    private func entry(
        _ item: TarItem, _ kind: EntryKind, _ content: Content, _ path: TreePath
    ) throws(StoreError) -> TreeEntry {
        // The greatest number means "as it was" to chown.
        guard let uid = UInt32(exactly: item.uid), let gid = UInt32(exactly: item.gid), uid < .max, gid < .max
        else { throw refused("its owner is no number that a file can have", item) }
        var attributes: [[UInt8]: [UInt8]] = [:]
        for attribute in item.xattrs where ExtendedAttribute.isPortable(attribute.name) {
            attributes[attribute.name] = attribute.value
        }
        return TreeEntry(
            name: path.names.last ?? .root, kind: kind, mode: UInt16(item.mode & 0o7777), uid: uid, gid: gid,
            size: 0, mtime: item.mtime, content: content,
            xattrs: attributes.map { ExtendedAttribute(name: $0, value: $1) })
    }

    private func refused(
        _ why: String, _ item: TarItem, hint: String = "nothing was imported"
    ) -> StoreError {
        StoreError(
            .invalidInput, "the archive has an entry that is refused: \(why)", subject: item.display,
            hint: hint)
    }

    private mutating func advance() {
        let count = reader.byteCount
        if count > reported { progress.advance(count - reported) }
        reported = count
    }
}
