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

    /// For who had it open when its mode, of which that was, denies it to its owner by now.
    public static func openAgain(
        _ place: Place, writes: Bool, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try place.whateverMode(writes ? 0o600 : 0o400) { () throws(Errno) in
            writes
                ? try openForWriting(place, function: function)
                : try openForReading(place, function: function)
        }
    }

    public static func openDirectory(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, function: function)
    }

    /// For finding what is in it, and no more.
    public static func openDirectoryAsHandle(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, firn_O_PATH | O_DIRECTORY | O_NOFOLLOW, function: function)
    }

    /// For opening it again by the descriptor, whatever becomes of its name. See: `man 2 open`, O_PATH.
    public static func openAsHandle(
        _ place: Place, function: StaticString = #function
    ) throws(Errno) -> Descriptor {
        try open(at: place.fd, place.path, firn_O_PATH | O_NOFOLLOW, function: function)
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

    /// The groups a process is in beside its own; none where it cannot be asked, being gone or out of sight. See:
    /// `man 5 proc`, `/proc/PID/status`.
    public static func supplementaryGroups(of pid: Int32) -> [UInt32] {
        guard pid > 0 else { return [] }
        let file: Descriptor
        do throws(Errno) {
            file = try open(at: AT_FDCWD, RawPath("/proc/\(pid)/status"), O_RDONLY)
        } catch { return [] }
        var text = [UInt8](repeating: 0, count: 65_536)
        // One call gives all of it.
        let count = text.withMutableRawBytes { (try? read(file.fd, into: $0, at: 0)) ?? 0 }
        let lines = text.prefix(count).split(separator: UInt8(ascii: "\n"))
        guard let line = lines.first(where: { $0.starts(with: Array("Groups:".utf8)) }) else { return [] }
        return String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).dropFirst()
            .compactMap { UInt32($0) }
    }

    public static var effectiveUser: UInt32 { geteuid() }
    public static var effectiveGroup: UInt32 { getegid() }
}
