internal import CArchive
internal import Glibc
internal import Objects
internal import SystemPackage

/// One entry of an archive, as it stands there: nothing of it is checked.
struct TarItem {
    let name: [UInt8]
    let content: Content
    let mode: UInt32
    let uid: Int64
    let gid: Int64
    let mtime: Timestamp
    let xattrs: [ExtendedAttribute]

    enum Content {
        /// As many bytes, holes included.
        case file(size: Int64)
        case directory
        case symbolicLink([UInt8])
        /// Another name of an entry before it.
        case hardLink([UInt8])
        case special(EntryKind, device: UInt64)
    }

    /// The name for a person's eyes.
    var display: String { String(decoding: name, as: UTF8.self) }
}

/// Reads a tar archive of any dialect, plain or compressed with gzip or zstd, from its beginning to its end.
final class TarReader {
    private let archive: OpaquePointer
    private let subject: String

    /// - Parameters:
    ///   - fd: read from in order, from where it stands; a pipe will do.
    ///   - subject: the archive's name, for messages.
    init(_ fd: Int32, _ subject: String) throws(StoreError) {
        guard let archive = archive_read_new() else {
            throw StoreError(.noMemory, doing: "read the archive", subject: subject)
        }
        self.archive = archive
        self.subject = subject
        // Not all that libarchive knows: some of its filters start programs, and some take memory without bound.
        archive_read_support_format_tar(archive)
        archive_read_support_filter_gzip(archive)
        archive_read_support_filter_zstd(archive)
        guard archive_read_open_fd(archive, fd, TarReader.chunkByteCount) == ARCHIVE_OK else {
            throw failure(subject)
        }
    }

    deinit { archive_read_free(archive) }

    private static let chunkByteCount = 1 << 17

    /// How many bytes of the file were read so far.
    var byteCount: UInt64 { UInt64(clamping: archive_filter_bytes(archive, -1)) }

    /// nil at the archive's end.
    ///
    /// - Throws: ``StoreError`` `.invalidInput` for bytes that are no archive, or one that is cut short.
    func next() throws(StoreError) -> TarItem? {
        var entry: OpaquePointer?
        switch archive_read_next_header(archive, &entry) {
        case ARCHIVE_EOF:
            // The end has a mark. An archive that was cut between two entries lacks it.
            guard archive_filter_bytes(archive, 0) > archive_read_header_position(archive) else {
                throw TarReader.cutShort(subject)
            }
            return nil
        // A name in no encoding, which is none of an archive's business.
        case ARCHIVE_OK, ARCHIVE_WARN: break
        default: throw failure(subject)
        }
        guard let entry else { throw failure(subject) }
        return TarItem(entry)
    }

    /// Writes the bytes of the file that ``next()`` has given, holes left out.
    func copyBytes(
        to fd: Int32, sizeMax: Int64, subject: String, _ advance: () -> Void
    ) throws(StoreError) {
        while true {
            var (start, count, offset): (UnsafeRawPointer?, Int, la_int64_t) = (nil, 0, 0)
            switch archive_read_data_block(archive, &start, &count, &offset) {
            case ARCHIVE_EOF: return
            case ARCHIVE_OK, ARCHIVE_WARN: break
            default: throw failure(subject)
            }
            guard count > 0 else { continue }
            guard offset >= 0, offset <= sizeMax, Int64(count) <= sizeMax - offset else {
                throw StoreError(
                    .invalidInput, "the entry has more bytes than its size says", subject: subject,
                    hint: TarReader.hint)
            }
            let written = try system("write", subject) { () throws(Errno) in
                try Syscall.write(fd, UnsafeRawBufferPointer(start: start, count: count), at: off_t(offset))
            }
            guard written == count else { throw StoreError(.noSpace, doing: "write", subject: subject) }
            advance()
        }
    }

    private static let hint = "nothing was imported"

    private static func cutShort(_ subject: String) -> StoreError {
        StoreError(
            .invalidInput, "the archive is cut short: its end is missing", subject: subject,
            hint: TarReader.hint)
    }

    private func failure(_ subject: String) -> StoreError {
        let number = archive_errno(archive)
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        // libarchive says EILSEQ or EINVAL of bytes that are wrong, and passes on what the system says.
        if number > 0, number != EILSEQ, number != EINVAL {
            return StoreError(Errno(rawValue: number), doing: "read the archive", subject: subject)
        }
        return StoreError(
            .invalidInput, "not a tar archive that can be read: \(message)", subject: subject,
            hint: "give a .tar, .tar.gz or .tar.zst file, or a directory; nothing was imported")
    }
}

extension TarItem {
    fileprivate init(_ entry: OpaquePointer) {
        func bytes(_ text: UnsafePointer<CChar>?) -> [UInt8]? {
            text.map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
        }
        name = bytes(archive_entry_pathname(entry)) ?? []
        mode = UInt32(archive_entry_perm(entry))
        uid = archive_entry_uid(entry)
        gid = archive_entry_gid(entry)
        let (seconds, nanoseconds) = (archive_entry_mtime(entry), archive_entry_mtime_nsec(entry))
        // libarchive gives the parts of -1.5 as they are written, while in a timespec the fraction always goes
        // towards the future.
        let goesBack = seconds < 0 && nanoseconds > 0
        mtime = Timestamp(
            seconds: Int64(seconds), nanoseconds: Int64(goesBack ? -nanoseconds : nanoseconds))
        xattrs = TarItem.attributes(entry)
        if let target = bytes(archive_entry_hardlink(entry)) {
            content = .hardLink(target)
            return
        }
        let device = UInt64(archive_entry_rdev(entry))
        switch mode_t(archive_entry_filetype(entry)) {
        case S_IFDIR: content = .directory
        case S_IFLNK: content = .symbolicLink(bytes(archive_entry_symlink(entry)) ?? [])
        case S_IFCHR: content = .special(.characterDevice, device: device)
        case S_IFBLK: content = .special(.blockDevice, device: device)
        case S_IFIFO: content = .special(.fifo, device: 0)
        case S_IFSOCK: content = .special(.socket, device: 0)
        default: content = .file(size: archive_entry_size(entry))
        }
    }

    private static func attributes(_ entry: OpaquePointer) -> [ExtendedAttribute] {
        var attributes: [ExtendedAttribute] = []
        archive_entry_xattr_reset(entry)
        var (name, value, count): (UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, 0)
        while archive_entry_xattr_next(entry, &name, &value, &count) == ARCHIVE_OK {
            guard let name else { continue }
            attributes.append(
                ExtendedAttribute(
                    name: TarAttributeName.decoded(
                        Array(UnsafeRawBufferPointer(start: name, count: strlen(name)))),
                    value: Array(UnsafeRawBufferPointer(start: value, count: count))))
        }
        return attributes
    }
}
