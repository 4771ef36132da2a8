internal import CLinux
internal import Glibc
internal import Objects
public import SystemPackage

// Opening by place, or what is open already.
extension Syscall {
    /// For reading and writing; symlinks are refused.
    public static func openForWriting(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDWR | O_NOFOLLOW, function: function)
    }

    public static func openForReading(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDONLY | O_NOFOLLOW, function: function)
    }

    public static func openDirectory(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, function: function)
    }

    /// Opens what `descriptor` has open once more, for reading and writing, whether or not it has a name.
    public static func reopenForWriting(
        _ descriptor: Descriptor, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), O_RDWR, function: function)
    }

    public static func reopenForReading(
        _ descriptor: Descriptor, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), O_RDONLY, function: function)
    }

    /// A descriptor that names the open file and can neither read nor write. See: `man 2 open`, O_PATH.
    public static func reopenAsHandle(
        _ descriptor: Descriptor, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: AT_FDCWD, path(of: descriptor), firn_O_PATH, function: function)
    }

    /// A path that leads to the open file. See: `man 5 proc`, `/proc/PID/fd`.
    public static func path(of descriptor: Descriptor) -> RawPath {
        RawPath("/proc/self/fd/\(descriptor.fd)")
    }

    public static var effectiveUser: UInt32 { geteuid() }
    public static var effectiveGroup: UInt32 { getegid() }
}
