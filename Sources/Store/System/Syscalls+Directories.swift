public import Glibc
public import Objects
public import SystemPackage

// Listing, locking and looking at the filesystem.
extension Syscall {
    /// A name in a directory and what the directory says it is.
    public struct Listed: Sendable {
        public let name: FileName
        public let kind: EntryKind
        public let inode: UInt64
    }

    /// The names in a directory without `.` and `..`, in the order the filesystem gives. See: `man 3 readdir`.
    public static func names(
        at directory: Int32, _ path: RawPath, function: StaticString = #function
    ) throws(Errno) -> [FileName] {
        var names: [FileName] = []
        try forEachEntry(at: directory, path, function) { names.append($0.name) }
        return names
    }

    /// The same with what each is; costs a `stat` on filesystems whose directories do not say.
    public static func entries(
        at directory: Int32, _ path: RawPath, function: StaticString = #function
    ) throws(Errno) -> [Listed] {
        var entries: [Listed] = []
        var unsure: [Found] = []
        try forEachEntry(at: directory, path, function) { found in
            guard let kind = kind(found.type) else { return unsure.append(found) }
            entries.append(Listed(found, kind))
        }
        for found in unsure {
            let child = path.appending(found.name)
            guard let status = try statIfPresent(at: directory, child) else { continue }
            guard let kind = EntryKind(mode: status.st_mode) else { continue }
            entries.append(Listed(found, kind))
        }
        return entries
    }

    private static func kind(_ type: UInt8) -> EntryKind? {
        switch Int(type) {
        case Int(DT_REG): .file
        case Int(DT_DIR): .directory
        case Int(DT_LNK): .symlink
        case Int(DT_FIFO): .fifo
        case Int(DT_SOCK): .socket
        case Int(DT_CHR): .characterDevice
        case Int(DT_BLK): .blockDevice
        default: nil
        }
    }

    /// What a directory says of one name.
    fileprivate struct Found {
        let name: FileName
        let type: UInt8
        let inode: UInt64
    }

    private static func forEachEntry(
        at directory: Int32, _ path: RawPath, _ function: StaticString, _ body: (Found) -> Void
    ) throws(Errno) {
        let fd = try openNumber(at: directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, function)
        guard let stream = fdopendir(fd) else {
            let error = Errno(rawValue: errno)
            _ = close(fd)
            throw error
        }
        defer { closedir(stream) }
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw Errno(rawValue: errno) }
                return
            }
            let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
            let isDots = bytes.first == UInt8(ascii: ".") && (bytes.count == 1 || bytes == [46, 46])
            if isDots { continue }
            body(
                Found(
                    name: FileName(unchecked: bytes), type: entry.pointee.d_type,
                    inode: UInt64(entry.pointee.d_ino)))
        }
    }

    /// Takes the whole-file lock of `fd`, or throws `.wouldBlock`. See: `man 2 flock`.
    public static func lock(_ fd: Int32, exclusive: Bool) throws(Errno) {
        _ = try check { flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) }
    }

    /// Gives back the lock of `fd`, which a held lock never refuses.
    static func unlock(_ fd: Int32) { _ = flock(fd, LOCK_UN) }

    /// How many files this process may have open. See: `man 2 getrlimit`, RLIMIT_NOFILE.
    public static var descriptorLimit: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_cur)
    }

    /// See: `man 3 statvfs`.
    public static func filesystemStatus(_ fd: Int32) throws(Errno) -> statvfs {
        var buffer = statvfs()
        _ = try check { fstatvfs(fd, &buffer) }
        return buffer
    }
}

extension Syscall.Listed {
    fileprivate init(_ found: Syscall.Found, _ kind: EntryKind) {
        self.init(name: found.name, kind: kind, inode: found.inode)
    }
}
