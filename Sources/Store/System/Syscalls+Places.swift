internal import CLinux
internal import Glibc
internal import Objects
public import SystemPackage

// Opening by place, or what is open already.
extension Syscall {
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
}
