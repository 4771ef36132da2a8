internal import Glibc
internal import SystemPackage

/// Copies a file's bytes by the cheapest way the filesystem has, holes staying holes.
enum FileCopy {
    /// Bytes copied in one call: a progress bar moves a few times a second.
    private static let stepByteCount: off_t = 1 << 26

    /// Replaces what `target` holds with what `source` holds.
    ///
    /// Shares blocks (FICLONE) where the filesystem can, in constant time. Otherwise copies each run of data
    /// with `copy_file_range`, inside the kernel.
    ///
    /// - Parameters:
    ///   - isFresh: the bytes go through memory to blocks of the target's own, because those of the source may
    ///     never have been written.
    ///   - advance: told of bytes as they are copied, holes and shared blocks included.
    /// - Returns: whether blocks are shared.
    @discardableResult
    static func contents(
        of source: Int32, to target: Int32, isFresh: Bool = false, subject: @autoclosure () -> String = "",
        advance: (UInt64) -> Void = { _ in }
    ) throws(StoreError) -> Bool {
        do throws(Errno) {
            if !isFresh, try share(source, to: target) {
                advance(UInt64(try Syscall.stat(source).st_size))
                return true
            }
            let size = try Syscall.stat(source).st_size
            try Syscall.truncate(target, to: size)
            var position: off_t = 0
            while position < size, let data = try Syscall.seek(source, to: .data, from: position) {
                let end = min(try Syscall.seek(source, to: .hole, from: data) ?? size, size)
                advance(UInt64(max(0, data - position)))
                try copy(source, to: target, from: data, upTo: end, isFresh: isFresh, advance)
                position = end
            }
            advance(UInt64(max(0, size - position)))
            return false
        } catch {
            throw StoreError(error, doing: "copy a file's bytes", subject: subject())
        }
    }

    /// - Returns: false where the filesystem, or the kernel, cannot.
    private static func share(_ source: Int32, to target: Int32) throws(Errno) -> Bool {
        do throws(Errno) {
            try Syscall.clone(from: source, to: target)
            return true
        } catch {
            // Not this filesystem, not these two files, or a kernel that says it in another way.
            switch error {
            case .notSupported, .invalidArgument, .improperLink, Errno(rawValue: ENOTTY): return false
            default: throw error
            }
        }
    }

    private static func copy(
        _ source: Int32, to target: Int32, from start: off_t, upTo end: off_t, isFresh: Bool,
        _ advance: (UInt64) -> Void
    ) throws(Errno) {
        var offset = start
        while offset < end {
            let wanted = Int(min(end - offset, stepByteCount))
            var count = isFresh ? nil : try copyInKernel(source, to: target, at: offset, count: wanted)
            if count == nil { count = try copyThroughMemory(source, to: target, at: offset, count: wanted) }
            // The source shrank under the copy: what is left stays a hole.
            guard let count, count > 0 else { return }
            offset += off_t(count)
            advance(UInt64(count))
        }
    }

    /// - Returns: nil for two filesystems between which the kernel does not copy.
    private static func copyInKernel(
        _ source: Int32, to target: Int32, at offset: off_t, count: Int
    ) throws(Errno) -> Int? {
        do throws(Errno) {
            return try Syscall.copyRange(from: source, at: offset, to: target, at: offset, count: count)
        } catch {
            guard error == .improperLink || error == .notSupported || error == .invalidArgument else {
                throw error
            }
            return nil
        }
    }

    private static func copyThroughMemory(
        _ source: Int32, to target: Int32, at offset: off_t, count: Int
    ) throws(Errno) -> Int {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: min(count, BlobStore.chunkByteCount), alignment: 4096)
        defer { buffer.deallocate() }
        let read = try Syscall.read(source, into: buffer, at: offset)
        return try Syscall.write(target, UnsafeRawBufferPointer(rebasing: buffer[..<read]), at: offset)
    }
}
