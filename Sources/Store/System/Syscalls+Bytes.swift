internal import CLinux
public import Glibc
internal import Objects
public import SystemPackage

// Reading, writing, copying and syncing.
extension Syscall {
    /// See: `man 2 pread`. Reads until the buffer is full or the file ends.
    ///
    /// - Parameter keepsPages: whether the kernel is to keep what it had to read from the disk. Without, as far as it can do
    ///   otherwise: see `man 2 preadv2`, RWF_DONTCACHE.
    public static func read(
        _ fd: Int32, into buffer: UnsafeMutableRawBufferPointer, at offset: off_t, keepsPages: Bool = true
    ) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            let (start, rest) = (buffer.baseAddress! + done, buffer.count - done)
            let count = try check {
                keepsPages
                    ? pread(fd, start, rest, offset + off_t(done))
                    : firn_read_uncached(fd, start, rest, offset + off_t(done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// See: `man 2 pwrite`. Returns fewer bytes than given only when the disk filled up after some.
    public static func write(
        _ fd: Int32, _ buffer: UnsafeRawBufferPointer, at offset: off_t, function: StaticString = #function
    ) throws(Errno) -> Int {
        var done = 0
        while done < buffer.count {
            do {
                done += try changing(.write, function) {
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
    public static func sync(_ fd: Int32, function: StaticString = #function) throws(Errno) {
        _ = try changing(.sync, function) { fsync(fd) }
    }

    /// Makes the names in a directory durable.
    static func syncDirectory(
        at directory: Int32, _ path: RawPath, function: StaticString = #function
    ) throws(Errno) {
        let opened = try open(at: directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, function: function)
        try sync(opened.fd, function: function)
    }

    /// See: `man 2 fdatasync`.
    public static func syncData(_ fd: Int32, function: StaticString = #function) throws(Errno) {
        _ = try changing(.syncData, function) { fdatasync(fd) }
    }

    /// See: `man 2 syncfs`. Reports write-back errors since `fd` was opened.
    public static func syncFilesystem(_ fd: Int32, function: StaticString = #function) throws(Errno) {
        _ = try changing(.syncFilesystem, function) { firn_syncfs(fd) }
    }

    /// See: `man 2 fallocate`.
    public static func allocate(
        _ fd: Int32, mode: Int32, offset: off_t, length: off_t, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.allocate, function) { firn_fallocate(fd, mode, offset, length) }
    }

    /// See: `man 2 copy_file_range`.
    public static func copyRange(
        from source: Int32, at sourceOffset: off_t, to target: Int32, at targetOffset: off_t, count: Int,
        function: StaticString = #function
    ) throws(Errno) -> Int {
        var sourceOffset = sourceOffset
        var targetOffset = targetOffset
        return try changing(.copy, function) {
            firn_copy_file_range(source, &sourceOffset, target, &targetOffset, count)
        }
    }

    /// See: `man 2 ioctl_ficlone`.
    public static func clone(
        from source: Int32, to target: Int32, function: StaticString = #function
    ) throws(Errno) {
        _ = try changing(.share, function) { firn_clone(target, source) }
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

    /// Fails where writing back the file has failed since `fd` was opened, whoever else was told of it, once for each
    /// failure. Writes nothing. See: `man 2 sync_file_range`, "ERRORS".
    public static func requireWrittenBack(_ fd: Int32, function: StaticString = #function) throws(Errno) {
        _ = try changing(.sync, function) { firn_writeback_error(fd) }
    }

    /// Only a hint. See: `man 2 posix_fadvise`.
    public static func adviseSequential(_ fd: Int32) { _ = firn_advise_sequential(fd) }
}
