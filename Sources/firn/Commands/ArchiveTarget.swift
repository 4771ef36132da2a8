import Glibc
import Store
import SystemPackage

/// What is there already at the name that an archive is to be written to.
enum ArchiveTarget {
    /// The file that standard output is, under whatever name, such as `/dev/stdout`.
    case standardOutput
    /// A device, fifo or socket: written into and never replaced, as `tar -f` and `cp` have it.
    case special(isDisk: Bool)
    /// A file, or nothing, or a directory.
    case ordinary

    init(_ path: RawPath) {
        var (found, output) = (stat(), stat())
        guard path.withCString({ stat($0, &found) }) == 0 else {
            self = .ordinary
            return
        }
        if fstat(STDOUT_FILENO, &output) == 0, (output.st_dev, output.st_ino) == (found.st_dev, found.st_ino)
        {
            self = .standardOutput
            return
        }
        let kind = found.st_mode & S_IFMT
        self = kind == S_IFREG || kind == S_IFDIR ? .ordinary : .special(isDisk: kind == S_IFBLK)
    }

    /// Opens a device or fifo for writing.
    static func open(_ path: RawPath, isDisk: Bool) throws(Errno) -> Descriptor {
        // The kernel refuses a disk that is mounted, or used otherwise, only to who asks for it alone.
        try Syscall.open(at: AT_FDCWD, path, O_WRONLY | O_NOCTTY | (isDisk ? O_EXCL : 0))
    }
}
