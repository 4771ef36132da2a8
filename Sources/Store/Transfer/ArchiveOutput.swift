internal import CArchive
internal import Glibc
internal import Objects
internal import SystemPackage

/// How an archive is compressed as a whole.
public enum ArchiveCompression: Hashable, Sendable, CaseIterable {
    case none, gzip, zstd
}

/// A stream of bytes to a file or a pipe, compressed on the way.
final class ArchiveOutput {
    private let archive: OpaquePointer

    /// - Parameter fd: written to in order, and not closed.
    init(_ fd: Int32, _ compression: ArchiveCompression) throws(StoreError) {
        guard let archive = archive_write_new(), let entry = archive_entry_new() else {
            throw StoreError(.noMemory, doing: "write an archive", subject: "")
        }
        self.archive = archive
        defer { archive_entry_free(entry) }
        // libarchive compresses; what is in the archive is written by TarWriter.
        try check(archive_write_set_format_raw(archive))
        switch compression {
        case .none: break
        case .gzip: try check(archive_write_add_filter_gzip(archive))
        case .zstd: try check(archive_write_add_filter_zstd(archive))
        }
        try check(archive_write_set_bytes_in_last_block(archive, 1))
        try check(archive_write_open_fd(archive, fd))
        archive_entry_set_filetype(entry, EntryKind.file.fileType)
        try check(archive_write_header(archive, entry))
    }

    deinit {
        // Of an archive that was not finished: no more is written than was.
        archive_write_fail(archive)
        archive_write_free(archive)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) {
        var rest = bytes
        while !rest.isEmpty {
            let count = archive_write_data(archive, rest.baseAddress, rest.count)
            guard count > 0 else { throw failure() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    func write(_ bytes: [UInt8]) throws(StoreError) {
        try bytes.withRawBytes { bytes throws(StoreError) in try write(bytes) }
    }

    /// Writes what is still held back.
    func finish() throws(StoreError) { try check(archive_write_close(archive)) }

    private func check(_ status: Int32) throws(StoreError) {
        guard status == ARCHIVE_OK else { throw failure() }
    }

    private func failure() -> StoreError {
        let number = archive_errno(archive)
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        guard number > 0 else { return StoreError(.invalidInput, "cannot write the archive: \(message)") }
        return StoreError(Errno(rawValue: number), doing: "write the archive", subject: "")
    }
}
