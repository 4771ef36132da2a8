internal import CFuse
internal import CFuse3
internal import Glibc
internal import Objects
internal import Store
internal import SystemPackage
internal import VFS

extension Session {
    static func addFiles(to table: inout fuse_lowlevel_ops) {
        addOpening(to: &table)
        addBytes(to: &table)
    }

    private static func addOpening(to table: inout fuse_lowlevel_ops) {
        table.open = { request, node, info in
            guard let request = Request(request), let info else { return }
            let mode = OpenMode(flags: info.pointee.flags)
            let (known, caller) = (info.pointee, request.caller)
            let isSlow = request.fileSystem.isSlowToOpen(NodeID(node), mode)
            if !isSlow, !mode.writes {
                return request.answer("open") { (reply) throws(VFSError) in
                    reply.opened(try request.fileSystem.open(NodeID(node), mode, by: caller), info)
                }
            }
            request.answerChange("open", isSlow: isSlow) { (reply) throws(VFSError) in
                var info = known
                let opened = try request.fileSystem.open(NodeID(node), mode, by: caller)
                // From now on the kernel is to ask for them.
                request.session.refreshAttributes(NodeID(node))
                if known.flags & O_DSYNC != 0 { try request.fileSystem.settle(opened.handle) }
                reply.opened(opened, &info)
            }
        }
        table.create = { request, parent, name, mode, info in
            guard let request = Request(request), let rawName = name, let info else { return }
            let isNameless = strcmp(rawName, FIRN_NAMELESS) == 0
            let (name, known, caller) = (FileName(rawName), info.pointee, request.caller)
            let bits = UInt16(mode & 0o7777)
            request.answerChange("create") { (reply) throws(VFSError) in
                var info = known
                let (entry, file) =
                    isNameless
                    ? try request.fileSystem.createNameless(NodeID(parent), mode: bits, by: caller)
                    : try request.fileSystem.create(
                        NodeID(parent), name, mode: bits, isExclusive: known.flags & O_EXCL != 0, by: caller)
                reply.created(entry, file, &info)
            }
        }
        table.release = { request, node, info in
            guard let request = Request(request), let info else { return }
            request.fileSystem.release(HandleID(info.pointee.fh))
            request.answer("release") { $0.done() }
        }
        table.flush = { request, _, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answer("flush") { (reply) throws(VFSError) in
                try request.fileSystem.flush(handle)
                reply.done()
            }
        }
        table.fsync = { request, node, dataOnly, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answerSlowly("fsync") { (reply) throws(VFSError) in
                try request.fileSystem.sync(handle, dataOnly: dataOnly != 0)
                request.session.refreshAttributes(NodeID(node))
                reply.done()
            }
        }
    }

    private static func addBytes(to table: inout fuse_lowlevel_ops) {
        table.read = { request, _, size, offset, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answer("read") { (reply) throws(VFSError) in
                let buffer = ReadBuffer.current(size)
                let count = try request.fileSystem.read(handle, into: buffer, at: Int64(offset))
                reply.bytes(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
        }
        table.write = { request, _, bytes, size, offset, info in
            guard let request = Request(request), let bytes, let info else { return }
            let (handle, caller) = (HandleID(info.pointee.fh), request.caller)
            let buffer = UnsafeRawBufferPointer(start: bytes, count: size)
            // A commit by way of .firn/commit takes its time, and a held write its turn.
            if !request.fileSystem.isSlowToWrite(handle), !request.fileSystem.isHeld {
                return request.answer("write") { (reply) throws(VFSError) in
                    reply.written(
                        try request.fileSystem.write(handle, buffer, at: Int64(offset), by: caller))
                }
            }
            let copy = [UInt8](buffer)
            request.answerSlowly("write") { (reply) throws(VFSError) in
                let count = try copy.withRawBytes { (bytes) throws(VFSError) in
                    try request.fileSystem.write(handle, bytes, at: Int64(offset), by: caller)
                }
                reply.written(count)
            }
        }
        table.fallocate = { request, _, mode, offset, length, info in
            guard let request = Request(request), let info else { return }
            let (handle, caller) = (HandleID(info.pointee.fh), request.caller)
            request.answerSlowly("fallocate") { (reply) throws(VFSError) in
                try request.fileSystem.allocate(
                    handle, mode: mode, offset: Int64(offset), length: Int64(length), by: caller)
                reply.done()
            }
        }
        table.lseek = { request, _, offset, whence, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answer("lseek") { (reply) throws(VFSError) in
                guard let target = Syscall.SeekTarget(whence: whence) else {
                    throw VFSError(.invalidArgument)
                }
                reply.offset(try request.fileSystem.seek(handle, target, from: Int64(offset)))
            }
        }
        table.copy_file_range = { request, _, sourceOffset, source, _, targetOffset, target, count, flags in
            guard let request = Request(request), let source, let target else { return }
            let (from, to) = (HandleID(source.pointee.fh), HandleID(target.pointee.fh))
            let caller = request.caller
            request.answerSlowly("copy_file_range") { (reply) throws(VFSError) in
                guard flags == 0 else { throw VFSError(.invalidArgument) }
                reply.written(
                    try request.fileSystem.copy(
                        from: from, at: Int64(sourceOffset), to: to, at: Int64(targetOffset), count: count,
                        by: caller))
            }
        }
    }
}

extension OpenMode {
    /// - Parameter flags: as `open` takes them.
    init(flags: Int32) {
        let access = flags & O_ACCMODE
        self.init(
            reads: access != O_WRONLY, writes: access != O_RDONLY, truncates: flags & O_TRUNC != 0,
            appends: flags & O_APPEND != 0)
    }
}

/// A buffer for each thread that answers reads, kept until the thread ends.
private enum ReadBuffer {
    /// The kernel asks for no more at once.
    private static let byteCountMax = 1 << 20

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        guard pthread_key_create(&key, { free($0) }) == 0 else { preconditionFailure("no thread key left") }
        return key
    }()

    static func current(_ size: Int) -> UnsafeMutableRawBufferPointer {
        precondition(size <= byteCountMax, "a read larger than was negotiated")
        if let known = pthread_getspecific(key) {
            return UnsafeMutableRawBufferPointer(start: known, count: size)
        }
        var memory: UnsafeMutableRawPointer?
        guard posix_memalign(&memory, 4096, byteCountMax) == 0 else { preconditionFailure("out of memory") }
        pthread_setspecific(key, memory)
        return UnsafeMutableRawBufferPointer(start: memory, count: size)
    }
}
