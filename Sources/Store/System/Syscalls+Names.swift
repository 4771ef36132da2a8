internal import CLinux
public import Glibc
internal import Objects
public import SystemPackage

// Making, linking, renaming and removing names.
extension Syscall {
    /// See: `man 2 openat2`. `O_CLOEXEC` is always added. Beneath a directory no symlink is followed, at the end of
    /// the path neither: that is `.tooManySymbolicLinkLevels`.
    public static func open(
        at directory: Int32, _ path: RawPath, _ flags: Int32, mode: mode_t = 0,
        function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        Descriptor(try openNumber(at: directory, path, flags, mode: mode, function))
    }

    static func openNumber(
        at directory: Int32, _ path: RawPath, _ flags: Int32, mode: mode_t = 0, _ function: StaticString
    ) throws(Errno) -> Int32 {
        let makes = flags & (O_CREAT | O_TRUNC) != 0 || flags & nameless == nameless
        return try path.withCString { path throws(Errno) in
            try changing(makes ? .create : .open, function) {
                firn_openat(directory, path, flags | O_CLOEXEC, mode)
            }
        }
    }

    /// `O_TMPFILE`, a flag for ``open(at:_:_:mode:)`` on a directory.
    public static var nameless: Int32 { firn_O_TMPFILE }

    /// See: `man 2 fstatat`; symlinks are not followed.
    public static func stat(at directory: Int32, _ path: RawPath) throws(Errno) -> stat {
        var buffer = Glibc.stat()
        try beneath(directory, path) { directory, path throws(Errno) in
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
    public static func makeDirectory(
        at directory: Int32, _ path: RawPath, mode: mode_t, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.makeDirectory, function) { mkdirat(directory, path, mode) }
        }
    }

    /// See: `man 2 mknodat`.
    public static func makeNode(
        at directory: Int32, _ path: RawPath, mode: mode_t, device: dev_t, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.makeNode, function) { mknodat(directory, path, mode, device) }
        }
    }

    /// See: `man 2 symlinkat`.
    public static func makeSymlink(
        at directory: Int32, _ path: RawPath, target: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            try target.withCString { target throws(Errno) in
                _ = try changing(.makeSymlink, function) { symlinkat(target, directory, path) }
            }
        }
    }

    /// See: `man 2 readlinkat`.
    public static func readSymlink(at directory: Int32, _ path: RawPath) throws(Errno) -> [UInt8] {
        var target = [UInt8](repeating: 0, count: RawPath.byteCountMax + 1)
        let count = try beneath(directory, path) { directory, path throws(Errno) in
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
        at directory: Int32, _ path: RawPath, to target: Int32, _ targetPath: RawPath,
        function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            try beneath(target, targetPath) { target, targetPath throws(Errno) in
                _ = try changing(.link, function) { linkat(directory, path, target, targetPath, 0) }
            }
        }
    }

    /// Gives an open file (of `O_TMPFILE`, say) a name. See: `man 2 linkat`, `AT_SYMLINK_FOLLOW` with /proc.
    public static func link(
        _ fd: Int32, to target: Int32, _ targetPath: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try RawPath("/proc/self/fd/\(fd)").withCString { path throws(Errno) in
            try beneath(target, targetPath) { target, targetPath throws(Errno) in
                _ = try changing(.link, function) {
                    linkat(AT_FDCWD, path, target, targetPath, firn_AT_SYMLINK_FOLLOW)
                }
            }
        }
    }

    /// See: `man 2 unlinkat`.
    public static func unlink(
        at directory: Int32, _ path: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.unlink, function) { unlinkat(directory, path, 0) }
        }
    }

    /// See: `man 2 rmdir`.
    public static func removeDirectory(
        at directory: Int32, _ path: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.removeDirectory, function) { unlinkat(directory, path, AT_REMOVEDIR) }
        }
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
        _ flags: RenameFlags = [], function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            try beneath(target, targetPath) { target, targetPath throws(Errno) in
                _ = try changing(flags.contains(.exchange) ? .exchange : .rename, function) {
                    firn_renameat2(directory, path, target, targetPath, flags.rawValue)
                }
            }
        }
    }
}
