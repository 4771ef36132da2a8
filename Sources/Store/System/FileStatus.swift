internal import CLinux
public import Glibc
public import Objects
public import SystemPackage

/// What `stat` says of a backing file, in Swift's types: who lies above Store needs no C for it.
public struct FileStatus: Hashable, Sendable {
    public let inode: UInt64
    /// `st_mode`, type bits included.
    public let mode: UInt32
    public let linkCount: UInt64
    public let uid: UInt32
    public let gid: UInt32
    /// `st_rdev`.
    public let device: UInt64
    /// Bytes.
    public let size: UInt64
    /// 512-byte units that are allocated.
    public let blocks: UInt64
    public let atime: Timestamp
    public let mtime: Timestamp
    public let ctime: Timestamp

    public init(_ status: stat) {
        inode = UInt64(status.st_ino)
        mode = status.st_mode
        linkCount = UInt64(status.st_nlink)
        uid = status.st_uid
        gid = status.st_gid
        device = UInt64(status.st_rdev)
        size = UInt64(clamping: status.st_size)
        blocks = UInt64(clamping: status.st_blocks)
        atime = Timestamp(status.st_atim)
        mtime = Timestamp(status.st_mtim)
        ctime = Timestamp(status.st_ctim)
    }

    /// Permission, set-id and sticky bits.
    public var permissions: UInt16 { UInt16(mode & 0o7777) }
    /// nil for a type Linux does not have.
    public var kind: EntryKind? { EntryKind(mode: mode) }
}

extension Syscall {
    /// See: `man 2 fstatat`; symlinks are not followed.
    public static func status(_ place: Place) throws(Errno) -> FileStatus {
        FileStatus(try stat(at: place.fd, place.path))
    }

    /// See: `man 2 fstat`.
    public static func status(_ descriptor: Descriptor) throws(Errno) -> FileStatus {
        FileStatus(try stat(descriptor.fd))
    }

    /// When the file was made; nil where the filesystem does not say. See: `man 2 statx`, STATX_BTIME; symlinks are not
    /// followed.
    public static func birthTime(_ place: Place) throws(Errno) -> Timestamp? {
        try beneath(place.fd, place.path, birthTime)
    }

    /// The same of an open file.
    public static func birthTime(_ descriptor: Descriptor) throws(Errno) -> Timestamp? {
        try birthTime(descriptor.fd, "")
    }

    private static func birthTime(
        _ directory: Int32, _ path: UnsafePointer<CChar>
    ) throws(Errno) -> Timestamp? {
        var (seconds, nanoseconds): (Int64, Int64) = (0, 0)
        let isKnown = try check { firn_birth_time(directory, path, &seconds, &nanoseconds) } == 1
        return isKnown ? Timestamp(seconds: seconds, nanoseconds: nanoseconds) : nil
    }
}

extension UpperEntry {
    public var file: FileStatus { FileStatus(status) }
}

/// What `statvfs` says of the filesystem the store lies on. Sizes in bytes, counts in fragments.
public struct FilesystemStatus: Hashable, Sendable {
    public let blockSize: UInt64
    public let fragmentSize: UInt64
    public let blocks: UInt64
    public let freeBlocks: UInt64
    /// To an ordinary user.
    public let availableBlocks: UInt64
    public let inodes: UInt64
    public let freeInodes: UInt64
    public let availableInodes: UInt64

    init(_ status: statvfs) {
        blockSize = UInt64(status.f_bsize)
        fragmentSize = UInt64(status.f_frsize)
        blocks = UInt64(status.f_blocks)
        freeBlocks = UInt64(status.f_bfree)
        availableBlocks = UInt64(status.f_bavail)
        inodes = UInt64(status.f_files)
        freeInodes = UInt64(status.f_ffree)
        availableInodes = UInt64(status.f_favail)
    }
}
