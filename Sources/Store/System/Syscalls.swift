internal import CLinux
public import Glibc
public import Objects
public import SystemPackage

/// The system calls Firn makes, each as one thin function: same name, same meaning, `Errno` thrown instead of
/// -1 returned, EINTR retried. Nothing else in Store touches `errno`.
public enum Syscall {
    // MARK: Names

    /// See: `man 2 openat`. `O_CLOEXEC` is always added.
    public static func open(
        at directory: Int32, _ path: RawPath, _ flags: Int32, mode: mode_t = 0
    ) throws(Errno) -> Descriptor {
        Descriptor(
            try path.withCString { path throws(Errno) in
                try check { openat(directory, path, flags | O_CLOEXEC, mode) }
            })
    }

    /// `O_TMPFILE`, a flag for ``open(at:_:_:mode:)`` on a directory.
    public static var nameless: Int32 { firn_O_TMPFILE }

    /// See: `man 2 fstatat`; symlinks are not followed.
    public static func stat(at directory: Int32, _ path: RawPath) throws(Errno) -> stat {
        var buffer = Glibc.stat()
        try path.withCString { path throws(Errno) in
            _ = try check { fstatat(directory, path, &buffer, AT_SYMLINK_NOFOLLOW) }
        }
        return buffer
    }

    /// The same, nil where there is no such name.
    public static func statIfPresent(at directory: Int32, _ path: RawPath) throws(Errno) -> stat? {
        do { return try stat(at: directory, path) } catch {
            if error == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }

    /// See: `man 2 fstat`.
    public static func stat(_ fd: Int32) throws(Errno) -> stat {
        var buffer = Glibc.stat()
        _ = try check { fstat(fd, &buffer) }
        return buffer
    }

    /// See: `man 2 mkdirat`.
    public static func makeDirectory(at directory: Int32, _ path: RawPath, mode: mode_t) throws(Errno) {
        try path.withCString { path throws(Errno) in _ = try check { mkdirat(directory, path, mode) } }
    }

    /// See: `man 2 mknodat`.
    public static func makeNode(
        at directory: Int32, _ path: RawPath, mode: mode_t, device: dev_t
    ) throws(Errno) {
        try path.withCString { path throws(Errno) in _ = try check { mknodat(directory, path, mode, device) } }
    }

    /// See: `man 2 symlinkat`.
    public static func makeSymlink(at directory: Int32, _ path: RawPath, target: RawPath) throws(Errno) {
        try path.withCString { path throws(Errno) in
            try target.withCString { target throws(Errno) in
                _ = try check { symlinkat(target, directory, path) }
            }
        }
    }

    /// See: `man 2 readlinkat`.
    public static func readSymlink(at directory: Int32, _ path: RawPath) throws(Errno) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: RawPath.byteCountMax + 1)
        let count = try path.withCString { path throws(Errno) in
            try check {
                target.withMutableRawBytes {
                    readlinkat(directory, path, $0.bindMemory(to: CChar.self).baseAddress!, $0.count)
                }
            }
        }
        return Array(target.prefix(count))
    }

    /// See: `man 2 linkat`; a symlink is linked itself.
    public static func link(
        at directory: Int32, _ path: RawPath, to target: Int32, _ targetPath: RawPath
    ) throws(Errno) {
        try path.withCString { path throws(Errno) in
            try targetPath.withCString { targetPath throws(Errno) in
                _ = try check { linkat(directory, path, target, targetPath, 0) }
            }
        }
    }

    /// Gives an open file (of `O_TMPFILE`, say) a name. See: `man 2 linkat`, `AT_SYMLINK_FOLLOW` with /proc.
    public static func link(_ fd: Int32, to target: Int32, _ targetPath: RawPath) throws(Errno) {
        try RawPath("/proc/self/fd/\(fd)").withCString { path throws(Errno) in
            try targetPath.withCString { targetPath throws(Errno) in
                _ = try check { linkat(AT_FDCWD, path, target, targetPath, firn_AT_SYMLINK_FOLLOW) }
            }
        }
    }

    /// See: `man 2 unlinkat`.
    public static func unlink(at directory: Int32, _ path: RawPath) throws(Errno) {
        try path.withCString { path throws(Errno) in _ = try check { unlinkat(directory, path, 0) } }
    }

    /// See: `man 2 rmdir`.
    public static func removeDirectory(at directory: Int32, _ path: RawPath) throws(Errno) {
        try path.withCString { path throws(Errno) in _ = try check { unlinkat(directory, path, AT_REMOVEDIR) } }
    }

    /// What `rename` may do beside renaming.
    public struct RenameFlags: OptionSet, Sendable {
        public let rawValue: UInt32

        public init(rawValue: UInt32) {
            self.rawValue = rawValue
        }

        public static let noReplace = RenameFlags(rawValue: UInt32(FIRN_RENAME_NOREPLACE))
        public static let exchange = RenameFlags(rawValue: UInt32(FIRN_RENAME_EXCHANGE))
        public static let whiteout = RenameFlags(rawValue: UInt32(FIRN_RENAME_WHITEOUT))
    }

    /// See: `man 2 renameat2`.
    public static func rename(
        at directory: Int32, _ path: RawPath, to target: Int32, _ targetPath: RawPath,
        _ flags: RenameFlags = []
    ) throws(Errno) {
        try path.withCString { path throws(Errno) in
            try targetPath.withCString { targetPath throws(Errno) in
                _ = try check { firn_renameat2(directory, path, target, targetPath, flags.rawValue) }
            }
        }
    }

    // MARK: Attributes

    /// See: `man 2 fchmodat`; not for symlinks, which have no mode of their own.
    public static func changeMode(at directory: Int32, _ path: RawPath, _ mode: mode_t) throws(Errno) {
        try path.withCString { path throws(Errno) in _ = try check { fchmodat(directory, path, mode, 0) } }
    }

    /// See: `man 2 fchmod`.
    public static func changeMode(_ fd: Int32, _ mode: mode_t) throws(Errno) {
        _ = try check { fchmod(fd, mode) }
    }

    /// See: `man 2 fchownat`; nil leaves an id as it is.
    public static func changeOwner(
        at directory: Int32, _ path: RawPath, uid: uid_t?, gid: gid_t?
    ) throws(Errno) {
        try path.withCString { path throws(Errno) in
            _ = try check {
                fchownat(directory, path, uid ?? uid_t.max, gid ?? gid_t.max, AT_SYMLINK_NOFOLLOW)
            }
        }
    }

    /// See: `man 2 fchown`; nil leaves an id as it is.
    public static func changeOwner(_ fd: Int32, uid: uid_t?, gid: gid_t?) throws(Errno) {
        _ = try check { fchown(fd, uid ?? uid_t.max, gid ?? gid_t.max) }
    }

    /// See: `man 2 utimensat`; nil leaves a time as it is.
    public static func changeTimes(
        at directory: Int32, _ path: RawPath, access: TimeChange?, modification: TimeChange?
    ) throws(Errno) {
        let times = timespecs(access, modification)
        try path.withCString { path throws(Errno) in
            _ = try check { utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW) }
        }
    }

    /// See: `man 2 futimens`.
    public static func changeTimes(
        _ fd: Int32, access: TimeChange?, modification: TimeChange?
    ) throws(Errno) {
        let times = timespecs(access, modification)
        _ = try check { futimens(fd, times) }
    }

    /// See: `man 2 ftruncate`.
    public static func truncate(_ fd: Int32, to size: off_t) throws(Errno) {
        _ = try check { ftruncate(fd, size) }
    }

    private static func timespecs(_ access: TimeChange?, _ modification: TimeChange?) -> [timespec] {
        [access, modification].map { change in
            switch change {
            case nil: timespec(tv_sec: 0, tv_nsec: firn_UTIME_OMIT)
            case .now: timespec(tv_sec: 0, tv_nsec: firn_UTIME_NOW)
            case .at(let time): timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.subsecond))
            }
        }
    }

    // MARK: Bytes

    /// See: `man 2 pread`. Reads until the buffer is full or the file ends.
    public static func read(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: off_t
    ) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try check {
                pread(fd, buffer.baseAddress! + done, buffer.count - done, offset + off_t(done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// See: `man 2 pwrite`. Returns fewer bytes than given only when the disk filled up after some.
    public static func write(
        _ fd: Int32, _ buffer: UnsafeRawBufferPointer, at offset: off_t
    ) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            do {
                done += try check {
                    pwrite(fd, buffer.baseAddress! + done, buffer.count - done, offset + off_t(done))
                }
            } catch {
                if done > 0 { return done }
                throw error
            }
        }
        return done
    }

    /// See: `man 2 fsync`.
    public static func sync(_ fd: Int32) throws(Errno) { _ = try check { fsync(fd) } }

    /// Makes the names in a directory durable.
    static func syncDirectory(at directory: Int32, _ path: RawPath) throws(Errno) {
        let opened = try open(at: directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try sync(opened.fd)
    }

    /// See: `man 2 fdatasync`.
    public static func syncData(_ fd: Int32) throws(Errno) { _ = try check { fdatasync(fd) } }

    /// See: `man 2 syncfs`. Reports write-back errors since `fd` was opened.
    public static func syncFilesystem(_ fd: Int32) throws(Errno) { _ = try check { firn_syncfs(fd) } }

    /// See: `man 2 fallocate`.
    public static func allocate(
        _ fd: Int32, mode: Int32, offset: off_t, length: off_t
    ) throws(Errno) {
        _ = try check { firn_fallocate(fd, mode, offset, length) }
    }

    /// See: `man 2 copy_file_range`.
    public static func copyRange(
        from source: Int32, at sourceOffset: off_t, to target: Int32, at targetOffset: off_t, count: Int
    ) throws(Errno) -> Int {
        var sourceOffset = sourceOffset
        var targetOffset = targetOffset
        return try check { firn_copy_file_range(source, &sourceOffset, target, &targetOffset, count) }
    }

    /// See: `man 2 ioctl_ficlone`.
    public static func clone(from source: Int32, to target: Int32) throws(Errno) {
        _ = try check { firn_clone(target, source) }
    }

    public enum SeekTarget: Sendable {
        case data, hole

        /// - Parameter whence: as `lseek` takes it; nil for one that needs no filesystem.
        public init?(whence: Int32) {
            switch whence {
            case firn_SEEK_DATA: self = .data
            case firn_SEEK_HOLE: self = .hole
            default: return nil
            }
        }
    }

    /// See: `man 2 lseek`, SEEK_DATA and SEEK_HOLE; nil where there is no data after `offset`.
    public static func seek(_ fd: Int32, to target: SeekTarget, from offset: off_t) throws(Errno) -> off_t? {
        do throws(Errno) {
            return try check { target == .data ? firn_seek_data(fd, offset) : firn_seek_hole(fd, offset) }
        } catch {
            if error == .noSuchAddressOrDevice { return nil }
            throw error
        }
    }

    /// Asks that write-back begin. Only a hint, so it does not fail. See: `man 2 sync_file_range`.
    public static func startWriteback(_ fd: Int32) { _ = firn_start_writeback(fd) }

    /// Only a hint. See: `man 2 posix_fadvise`.
    public static func adviseSequential(_ fd: Int32) { _ = firn_advise_sequential(fd) }

    // MARK: Extended attributes

    /// See: `man 2 lgetxattr`; nil where there is none of that name.
    public static func attribute(_ path: RawPath, _ name: RawPath) throws(Errno) -> [UInt8]? {
        try attribute { buffer, size throws(Errno) in
            try path.withCString { path throws(Errno) in
                try name.withCString { name throws(Errno) in
                    try check { firn_getxattr(path, name, buffer, size) }
                }
            }
        }
    }

    /// See: `man 2 fgetxattr`; nil where there is none of that name.
    public static func attribute(_ fd: Int32, _ name: RawPath) throws(Errno) -> [UInt8]? {
        try attribute { buffer, size throws(Errno) in
            try name.withCString { name throws(Errno) in try check { firn_fgetxattr(fd, name, buffer, size) } }
        }
    }

    /// See: `man 2 lsetxattr`; `flags` is XATTR_CREATE, XATTR_REPLACE or 0.
    public static func setAttribute(
        _ path: RawPath, _ name: RawPath, _ value: [UInt8], flags: Int32 = 0
    ) throws(Errno) {
        try path.withCString { path throws(Errno) in
            try name.withCString { name throws(Errno) in
                _ = try check { firn_setxattr(path, name, value, value.count, flags) }
            }
        }
    }

    /// See: `man 2 fsetxattr`.
    public static func setAttribute(
        _ fd: Int32, _ name: RawPath, _ value: [UInt8], flags: Int32 = 0
    ) throws(Errno) {
        try name.withCString { name throws(Errno) in
            _ = try check { firn_fsetxattr(fd, name, value, value.count, flags) }
        }
    }

    /// See: `man 2 lremovexattr`.
    public static func removeAttribute(_ path: RawPath, _ name: RawPath) throws(Errno) {
        try path.withCString { path throws(Errno) in
            try name.withCString { name throws(Errno) in _ = try check { firn_removexattr(path, name) } }
        }
    }

    /// See: `man 2 fremovexattr`.
    public static func removeAttribute(_ fd: Int32, _ name: RawPath) throws(Errno) {
        try name.withCString { name throws(Errno) in _ = try check { firn_fremovexattr(fd, name) } }
    }

    /// See: `man 2 llistxattr`. Names without their NULs; empty on a filesystem without attributes.
    public static func attributeNames(_ path: RawPath) throws(Errno) -> [[UInt8]] {
        try attributeNames { buffer, size throws(Errno) in
            try path.withCString { path throws(Errno) in try check { firn_listxattr(path, buffer, size) } }
        }
    }

    /// See: `man 2 flistxattr`.
    public static func attributeNames(_ fd: Int32) throws(Errno) -> [[UInt8]] {
        try attributeNames { buffer, size throws(Errno) in try check { firn_flistxattr(fd, buffer, size) } }
    }

    private static func attribute(
        _ get: (UnsafeMutableRawPointer?, Int) throws(Errno) -> Int
    ) throws(Errno) -> [UInt8]? {
        // Most values fit here; the others are asked for again with the size they have.
        var capacity = 256
        while true {
            var value = [UInt8](repeating: 0, count: capacity)
            do throws(Errno) {
                let count = try value.withMutableRawBytes { buffer throws(Errno) in
                    try get(buffer.baseAddress, buffer.count)
                }
                return Array(value.prefix(count))
            } catch {
                switch error {
                case .noData, .notSupported: return nil
                case .outOfRange: capacity = 65_536
                default: throw error
                }
            }
        }
    }

    private static func attributeNames(
        _ list: (UnsafeMutablePointer<CChar>?, Int) throws(Errno) -> Int
    ) throws(Errno) -> [[UInt8]] {
        var names = [UInt8](repeating: 0, count: 65_536)
        do throws(Errno) {
            let count = try names.withMutableRawBytes { buffer throws(Errno) in
                try list(buffer.bindMemory(to: CChar.self).baseAddress, buffer.count)
            }
            return names.prefix(count).split(separator: 0).map { Array($0) }
        } catch {
            if error == .notSupported { return [] }
            throw error
        }
    }

    // MARK: Places

    /// For reading and writing; symlinks are refused.
    public static func openForWriting(_ place: Place) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDWR | O_NOFOLLOW)
    }

    public static func openForReading(_ place: Place) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDONLY | O_NOFOLLOW)
    }

    public static func openDirectory(_ place: Place) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    }

    /// Opens what `descriptor` has open once more, for reading and writing, whether or not it has a name.
    public static func reopenForWriting(_ descriptor: Descriptor) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), O_RDWR)
    }

    public static func reopenForReading(_ descriptor: Descriptor) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), O_RDONLY)
    }

    /// A descriptor that names the open file and can neither read nor write. See: `man 2 open`, O_PATH.
    public static func reopenAsHandle(_ descriptor: Descriptor) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), firn_O_PATH)
    }

    /// A path that leads to the open file. See: `man 5 proc`, `/proc/PID/fd`.
    public static func path(of descriptor: Descriptor) -> RawPath {
        RawPath("/proc/self/fd/\(descriptor.fd)")
    }

    public static var effectiveUser: UInt32 { geteuid() }
    public static var effectiveGroup: UInt32 { getegid() }

    // MARK: Directories and locks

    /// A name in a directory and what the directory says it is.
    public struct Listed: Sendable {
        public let name: FileName
        public let kind: EntryKind
    }

    /// The names in a directory without `.` and `..`, in the order the filesystem gives. See: `man 3 readdir`.
    public static func names(at directory: Int32, _ path: RawPath) throws(Errno) -> [FileName] {
        var names: [FileName] = []
        try forEachEntry(at: directory, path) { name, _ in names.append(name) }
        return names
    }

    /// The same with what each is; costs a `stat` on filesystems whose directories do not say.
    public static func entries(at directory: Int32, _ path: RawPath) throws(Errno) -> [Listed] {
        var entries: [Listed] = []
        var unsure: [FileName] = []
        try forEachEntry(at: directory, path) { name, type in
            if let kind = kind(type) {
                entries.append(Listed(name: name, kind: kind))
            } else {
                unsure.append(name)
            }
        }
        for name in unsure {
            let child = path.appending(name)
            guard let status = try statIfPresent(at: directory, child) else { continue }
            if let kind = EntryKind(mode: status.st_mode) { entries.append(Listed(name: name, kind: kind)) }
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

    private static func forEachEntry(
        at directory: Int32, _ path: RawPath, _ body: (FileName, UInt8) -> Void
    ) throws(Errno) {
        let fd = try path.withCString { path throws(Errno) in
            try check { openat(directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0) }
        }
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
            if !isDots { body(FileName(unchecked: bytes), entry.pointee.d_type) }
        }
    }

    /// Takes the whole-file lock of `fd`, or throws `.wouldBlock`. See: `man 2 flock`.
    public static func lock(_ fd: Int32, exclusive: Bool) throws(Errno) {
        _ = try check { flock(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) }
    }

    /// Gives back the lock of `fd`, which a held lock never refuses.
    static func unlock(_ fd: Int32) { _ = flock(fd, LOCK_UN) }

    /// See: `man 3 statvfs`.
    public static func filesystemStatus(_ fd: Int32) throws(Errno) -> statvfs {
        var buffer = statvfs()
        _ = try check { fstatvfs(fd, &buffer) }
        return buffer
    }

    static func check<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }
}

/// A time to set: the current one, by the kernel's clock, or a given one.
public enum TimeChange: Hashable, Sendable {
    case now
    case at(Timestamp)
}
