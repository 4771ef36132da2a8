internal import CLinux
public import Glibc
internal import Objects
public import SystemPackage

// Modes, owners, times, sizes and flags.
extension Syscall {
    /// See: `man 2 fchmodat`; symlinks, which have no mode of their own, are refused.
    public static func changeMode(
        at directory: Int32, _ path: RawPath, _ mode: mode_t, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.changeMode, function) { fchmodat(directory, path, mode, AT_SYMLINK_NOFOLLOW) }
        }
    }

    /// See: `man 2 fchmod`.
    public static func changeMode(
        _ fd: Int32, _ mode: mode_t, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.changeMode, function) { fchmod(fd, mode) }
    }

    /// See: `man 2 fchownat`; nil leaves an id as it is.
    public static func changeOwner(
        at directory: Int32, _ path: RawPath, uid: uid_t?, gid: gid_t?, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.changeOwner, function) {
                fchownat(directory, path, uid ?? uid_t.max, gid ?? gid_t.max, AT_SYMLINK_NOFOLLOW)
            }
        }
    }

    /// See: `man 2 fchown`; nil leaves an id as it is.
    public static func changeOwner(
        _ fd: Int32, uid: uid_t?, gid: gid_t?, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.changeOwner, function) { fchown(fd, uid ?? uid_t.max, gid ?? gid_t.max) }
    }

    /// See: `man 2 utimensat`; nil leaves a time as it is.
    public static func changeTimes(
        at directory: Int32, _ path: RawPath, access: TimeChange?, modification: TimeChange?,
        function: StaticString = #function
    ) throws(Errno) {
        let times = timespecs(access, modification)
        try beneath(directory, path) { directory, path throws(Errno) in
            _ = try changing(.changeTimes, function) {
                utimensat(directory, path, times, AT_SYMLINK_NOFOLLOW)
            }
        }
    }

    /// See: `man 2 futimens`.
    public static func changeTimes(
        _ fd: Int32, access: TimeChange?, modification: TimeChange?, function: StaticString = #function
    ) throws(Errno) {
        let times = timespecs(access, modification)
        _ = try changing(.changeTimes, function) { futimens(fd, times) }
    }

    /// See: `man 2 ftruncate`.
    public static func truncate(
        _ fd: Int32, to size: off_t, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.truncate, function) { ftruncate(fd, size) }
    }

    /// Sets those of `flags` that `mask` has, and leaves the others as they are. See: `man 2 ioctl_iflags`.
    static func changeFlags(
        _ fd: Int32, to flags: FileFlags, among mask: FileFlags, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.setAttribute, function) {
            firn_change_flags(fd, flags.rawValue, mask.rawValue)
        }
    }

    static func timespecs(_ access: TimeChange?, _ modification: TimeChange?) -> [timespec] {
        [access, modification].map { change in
            switch change {
            case nil: timespec(tv_sec: 0, tv_nsec: firn_UTIME_OMIT)
            case .now: timespec(tv_sec: 0, tv_nsec: firn_UTIME_NOW)
            case .at(let time): timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.subsecond))
            }
        }
    }
}
