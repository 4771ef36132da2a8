internal import CArchive
internal import Glibc
public import Objects
internal import SystemPackage

extension Store {
    /// Writes what a version has at `path` as a tar archive in the pax format: names byte for byte, times to the
    /// nanosecond, owners as numbers, extended attributes as GNU tar's `--xattrs` writes them, holes as its
    /// `--sparse` does.
    ///
    /// A directory is `./` in it and what it holds lies beside; a file has its own name.
    ///
    /// - Parameters:
    ///   - fd: a file or a pipe; written to in order, and not closed.
    ///   - progress: counts bytes.
    /// - Throws: ``StoreError`` `.unknownPath`, `.damaged` with the path, or the system's error. What was written by
    ///   then is no whole archive.
    public func export(
        _ version: Version, path: TreePath, toTar fd: Int32, progress: Progress = .none
    ) throws(StoreError) -> ExportSummary {
        let entry = try entry(at: path, of: version)
        progress.begin("exporting", total: entry.size)
        let writer = try TarWriter(fd)
        var export = TarExport(self, writer, progress)
        if let tree = entry.tree {
            try export.add(entry, named: Array("./".utf8), path)
            try trees.walk(tree) { (below, entry) throws(StoreError) in
                try export.add(entry, named: below.bytes, TreePath(names: path.names + below.names))
            }
        } else {
            try export.add(entry, named: entry.name.bytes, path)
        }
        try writer.finish()
        return export.summary
    }
}

/// Writes a tree's entries one after the other.
private struct TarExport {
    private let store: Store
    private let writer: TarWriter
    private let progress: Progress
    private(set) var summary = ExportSummary()

    init(_ store: Store, _ writer: TarWriter, _ progress: Progress) {
        self.store = store
        self.writer = writer
        self.progress = progress
    }

    mutating func add(_ entry: TreeEntry, named name: [UInt8], _ path: TreePath) throws(StoreError) {
        guard entry.kind != .socket else { return summary.skipped.append(path) }
        // Opened before the header: a missing object must not leave an entry without its bytes.
        let blob = try entry.blob.map { blob throws(StoreError) in
            do throws(StoreError) { return try store.blobs.open(blob, size: entry.size) } catch {
                throw StoreError(
                    error.code, "\(error.message) (\(error.subject))", subject: path.display, hint: error.hint
                )
            }
        }
        let runs = if let blob { try runs(of: blob, size: entry.size, path) } else { [FileRun]() }
        try writer.begin(entry, named: name, holes: runs, path)
        if let blob {
            let progress = progress
            for run in runs { try writer.write(run, of: blob, path) { progress.advance($0) } }
        }
        summary.count(entry)
    }
}

extension TarExport {
    /// A map of holes is kept in memory and written before the bytes. A file of more pieces than this is written
    /// whole.
    private static let runCountMax = 10_000

    private func runs(of blob: Descriptor, size: UInt64, _ path: TreePath) throws(StoreError) -> [FileRun] {
        let whole = FileRun(range: 0..<off_t(clamping: size), isHole: false)
        let status = try system("look at", path.display) { () throws(Errno) in try Syscall.stat(blob.fd) }
        guard UInt64(status.st_blocks) * 512 < size else { return [whole] }
        return try system("look for holes in", path.display) { () throws(Errno) in
            var runs: [FileRun] = []
            while let run = try FileRun(at: runs.last?.range.upperBound ?? 0, of: blob.fd) {
                if runs.count == TarExport.runCountMax { return [whole] }
                runs.append(run)
            }
            return runs
        }
    }
}

/// libarchive's writer of pax archives.
private final class TarWriter {
    private let archive: OpaquePointer
    private let entry: OpaquePointer
    private let buffer: UnsafeMutableRawBufferPointer

    init(_ fd: Int32) throws(StoreError) {
        guard let archive = archive_write_new(), let entry = archive_entry_new() else {
            throw StoreError(.noMemory, doing: "write an archive", subject: "")
        }
        self.archive = archive
        self.entry = entry
        buffer = .allocate(byteCount: BlobStore.chunkByteCount, alignment: 4096)
        try check(archive_write_set_format_pax(archive), "")
        // Otherwise names are converted from the locale's encoding, and those that are none are refused.
        try check(archive_write_set_options(archive, "hdrcharset=BINARY,xattrheader=SCHILY"), "")
        try check(archive_write_open_fd(archive, fd), "")
    }

    deinit {
        archive_entry_free(entry)
        // Of an archive that was not finished: no more is written than was.
        archive_write_fail(archive)
        archive_write_free(archive)
        buffer.deallocate()
    }

    /// Writes the header of an entry. Of a file, as many bytes as its size says must follow.
    ///
    /// - Parameter runs: all of a file; where they have holes the archive has them, too.
    func begin(
        _ item: TreeEntry, named name: [UInt8], holes runs: [FileRun], _ path: TreePath
    ) throws(StoreError) {
        archive_entry_clear(entry)
        RawPath(name).withCString { archive_entry_copy_pathname(entry, $0) }
        archive_entry_set_filetype(entry, UInt32(item.kind.fileType))
        archive_entry_set_perm(entry, mode_t(item.mode))
        archive_entry_set_uid(entry, la_int64_t(item.uid))
        archive_entry_set_gid(entry, la_int64_t(item.gid))
        let (seconds, nanoseconds) = TarWriter.signed(item.mtime)
        archive_entry_set_mtime(entry, seconds, nanoseconds)
        switch item.content {
        case .blob: archive_entry_set_size(entry, la_int64_t(clamping: item.size))
        case .target(let target): RawPath(target).withCString { archive_entry_copy_symlink(entry, $0) }
        case .device(let number): archive_entry_set_rdev(entry, dev_t(number))
        case .tree, .none: break
        }
        for attribute in item.xattrs {
            RawPath(attribute.name).withCString {
                archive_entry_xattr_add_entry(entry, $0, attribute.value, attribute.value.count)
            }
        }
        if runs.contains(where: \.isHole) {
            for run in runs where !run.isHole {
                archive_entry_sparse_add_entry(
                    entry, la_int64_t(run.range.lowerBound), la_int64_t(run.range.count))
            }
            // How libarchive is told that there is nothing but a hole.
            if runs.count == 1 { archive_entry_sparse_add_entry(entry, 0, 0) }
        }
        try check(archive_write_header(archive, entry), path.display)
    }

    /// A time as libarchive prints it, `seconds.nanoseconds`: before 1970 the fraction goes away from zero there,
    /// while that of a timespec always goes towards the future. What is left of the last second before 1970 has
    /// no such form and loses its fraction.
    private static func signed(_ time: Timestamp) -> (seconds: time_t, nanoseconds: Int) {
        let (seconds, nanoseconds) = (time_t(time.seconds), Int(time.subsecond))
        guard seconds < 0, nanoseconds > 0 else { return (seconds, nanoseconds) }
        return seconds == -1 ? (-1, 0) : (seconds + 1, 1_000_000_000 - nanoseconds)
    }

    /// Writes the bytes of a run. Those of a hole are only counted by libarchive, but want to be handed over.
    func write(
        _ run: FileRun, of file: Descriptor, _ path: TreePath, _ advance: (UInt64) -> Void
    ) throws(StoreError) {
        var offset = run.range.lowerBound
        while offset < run.range.upperBound {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: buffer.prefix(Int(min(run.range.upperBound - offset, off_t(buffer.count)))))
            var count = part.count
            if !run.isHole {
                count = try system("read", path.display) { () throws(Errno) in
                    try Syscall.read(file.fd, into: part, at: offset)
                }
            }
            guard count > 0 else {
                throw StoreError(.damaged, "the object became shorter", subject: path.display)
            }
            let written = archive_write_data(archive, part.baseAddress, count)
            guard written == count else { throw failure(path.display) }
            offset += off_t(count)
            advance(UInt64(count))
        }
    }

    /// Writes the archive's end.
    func finish() throws(StoreError) {
        try check(archive_write_close(archive), "")
    }

    private func check(_ status: Int32, _ subject: String) throws(StoreError) {
        // A warning is that of a name in no encoding, which is what was asked for.
        guard status == ARCHIVE_OK || status == ARCHIVE_WARN else { throw failure(subject) }
    }

    private func failure(_ subject: String) -> StoreError {
        let message = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        let number = archive_errno(archive)
        guard number > 0 else {
            return StoreError(.invalidInput, "cannot write the archive: \(message)", subject: subject)
        }
        return StoreError(Errno(rawValue: number), doing: "write the archive", subject: subject)
    }
}
