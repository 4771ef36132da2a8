internal import Glibc
public import Objects
internal import SystemPackage

extension Store {
    /// Writes what a version has at `path` as a tar archive in the pax format: names byte for byte, times to the
    /// nanosecond, owners as numbers, extended attributes as GNU tar's `--xattrs` writes them.
    ///
    /// A directory is `./` in it and what it holds lies beside; a file has its own name. Holes stay holes.
    ///
    /// - Parameters:
    ///   - fd: a file or a pipe; written to in order, and not closed.
    ///   - compression: of the whole archive.
    ///   - progress: counts bytes.
    /// - Throws: ``StoreError`` `.unknownPath`, `.damaged` with the path, or the system's error. What was written by
    ///   then is no whole archive.
    public func export(
        _ version: Version, path: TreePath, toTar fd: Int32, compression: ArchiveCompression = .none,
        progress: Progress = .none
    ) throws(StoreError) -> ExportSummary {
        let entry = try entry(at: path, of: version)
        progress.begin("exporting", total: entry.size)
        let writer = TarWriter(try ArchiveOutput(fd, compression))
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
        do throws(StoreError) {
            if let blob {
                try file(entry, blob, named: name, path)
            } else {
                try writer.begin(entry, named: name)
            }
        } catch {
            guard error.subject.isEmpty else { throw error }
            throw StoreError(error.code, error.message, subject: path.display, hint: error.hint)
        }
        summary.count(entry)
    }

    private func file(
        _ entry: TreeEntry, _ blob: Descriptor, named name: [UInt8], _ path: TreePath
    ) throws(StoreError) {
        let extents = try TarExport.extents(of: blob, size: entry.size, path)
        let stored = extents.reduce(0) { $0 + $1.count }
        let isSparse = stored < entry.size
        try writer.begin(entry, named: name, extents: isSparse ? extents : nil)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(min(stored, UInt64(BlobStore.chunkByteCount))), alignment: 4096)
        defer { buffer.deallocate() }
        for extent in extents {
            var done: UInt64 = 0
            while done < extent.count {
                let wanted = Int(min(extent.count - done, UInt64(buffer.count)))
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                let count = try system("read", path.display) { () throws(Errno) in
                    try Syscall.read(blob.fd, into: part, at: off_t(extent.start + done))
                }
                guard count == wanted else {
                    throw StoreError(.damaged, "the object became shorter", subject: path.display)
                }
                try writer.write(UnsafeRawBufferPointer(part))
                done += UInt64(count)
                progress.advance(UInt64(count))
            }
        }
        try writer.pad(after: stored)
        progress.advance(entry.size - stored)
    }

    /// A map of holes is kept in memory and written before the bytes. A file of more pieces than this is written
    /// whole.
    private static let extentCountMax = 10_000

    private static func extents(
        of file: Descriptor, size: UInt64, _ path: TreePath
    ) throws(StoreError) -> [TarWriter.Extent] {
        try system("look for holes in", path.display) { () throws(Errno) in
            var extents: [TarWriter.Extent] = []
            var position: off_t = 0
            let end = off_t(clamping: size)
            while position < end, let run = try FileRun(at: position, of: file.fd) {
                position = min(run.range.upperBound, end)
                if run.isHole { continue }
                if extents.count == extentCountMax { return [.init(start: 0, count: size)] }
                let start = run.range.lowerBound
                extents.append(.init(start: UInt64(start), count: UInt64(position - start)))
            }
            return extents
        }
    }
}
