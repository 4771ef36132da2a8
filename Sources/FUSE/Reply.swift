internal import CFuse
internal import CFuse3
internal import Glibc
internal import Logging
internal import Objects
internal import Store
internal import SystemPackage
internal import VFS

/// The answer to one request: the only caller of `fuse_reply_*`, the only place where errors end, and the only
/// log of operations.
struct Reply {
    private let request: Request

    /// Runs `body`, which answers through the reply it is given, or throws; then that is the answer.
    static func run(
        _ request: Request, _ operation: StaticString, _ body: (Reply) throws(VFSError) -> Void
    ) {
        do throws(VFSError) {
            try body(Reply(request: request))
        } catch {
            fuse_reply_err(request.pointer, error.code.rawValue)
            log(error, request, operation)
        }
    }

    /// What programs expect to meet is not worth a line; what an operator should know of is.
    private static func log(_ error: VFSError, _ request: Request, _ operation: StaticString) {
        switch error.code {
        case .ioError, .noSpace, .diskQuotaExceeded, .tooManyOpenFiles, .tooManyOpenFilesInSystem:
            request.session.logger.error(
                "operation failed",
                metadata: ["operation": "\(operation)", "errno": "\(error.code)", "reason": "\(error)"])
        default:
            request.session.logger.debug(
                "operation refused", metadata: ["operation": "\(operation)", "errno": "\(error.code)"])
        }
    }

    func done() { fuse_reply_err(request.pointer, 0) }

    func entry(_ entry: Entry) {
        var parameters = fuse_entry_param(entry)
        giveBack(entry, unless: fuse_reply_entry(request.pointer, &parameters))
    }

    /// There is no such name, and the kernel may keep that.
    func absent() {
        var parameters = fuse_entry_param()
        parameters.entry_timeout = Lifetime.unlimited.seconds
        fuse_reply_entry(request.pointer, &parameters)
    }

    func created(_ entry: Entry, _ file: OpenedFile, _ info: UnsafeMutablePointer<fuse_file_info>) {
        var parameters = fuse_entry_param(entry)
        info.pointee.set(file)
        let result =
            if let backing = file.backing {
                firn_reply_create_passthrough(request.pointer, &parameters, file.handle.value, backing.id)
            } else {
                fuse_reply_create(request.pointer, &parameters, info)
            }
        if result != 0 { request.fileSystem.release(file.handle) }
        giveBack(entry, unless: result)
    }

    /// A request that was interrupted meanwhile takes no answer: the kernel holds nothing then.
    private func giveBack(_ entry: Entry, unless result: Int32) {
        if result != 0 { request.fileSystem.forget(entry.node, count: 1) }
    }

    func attributes(_ attributes: Attributes, _ lifetime: Lifetime) {
        var status = stat(attributes)
        fuse_reply_attr(request.pointer, &status, lifetime.seconds)
    }

    /// To a request that asks for the time of birth as well.
    func attributes(_ attributes: Attributes, birth: Timestamp?, _ lifetime: Lifetime) {
        var status = stat(attributes)
        if var time = birth?.timespec {
            firn_reply_statx(request.pointer, &status, lifetime.seconds, &time)
        } else {
            firn_reply_statx(request.pointer, &status, lifetime.seconds, nil)
        }
    }

    func flags(_ flags: FileFlags, _ kind: firn_ioctl) {
        firn_reply_flags(request.pointer, kind, flags.rawValue)
    }

    func flagsSet() { fuse_reply_ioctl(request.pointer, 0, nil, 0) }

    func opened(_ file: OpenedFile, _ info: UnsafeMutablePointer<fuse_file_info>) {
        info.pointee.set(file)
        let result =
            if let backing = file.backing {
                firn_reply_open_passthrough(request.pointer, file.handle.value, backing.id)
            } else {
                fuse_reply_open(request.pointer, info)
            }
        if result != 0 { request.fileSystem.release(file.handle) }
    }

    func bytes(_ bytes: UnsafeRawBufferPointer) {
        fuse_reply_buf(request.pointer, bytes.bindMemory(to: CChar.self).baseAddress, bytes.count)
    }

    func written(_ count: Int) { fuse_reply_write(request.pointer, count) }

    func offset(_ offset: Int64) { fuse_reply_lseek(request.pointer, Int(offset)) }

    func status(_ status: FilesystemStatus) {
        var buffer = statvfs()
        buffer.f_bsize = UInt(status.blockSize)
        buffer.f_frsize = UInt(status.fragmentSize)
        buffer.f_blocks = UInt(status.blocks)
        buffer.f_bfree = UInt(status.freeBlocks)
        buffer.f_bavail = UInt(status.availableBlocks)
        buffer.f_files = UInt(status.inodes)
        buffer.f_ffree = UInt(status.freeInodes)
        buffer.f_favail = UInt(status.availableInodes)
        buffer.f_namemax = UInt(FileName.byteCountMax)
        fuse_reply_statfs(request.pointer, &buffer)
    }

    func target(_ target: [UInt8]) {
        (target + [0]).withUnsafeBytes { buffer in
            _ = fuse_reply_readlink(request.pointer, buffer.bindMemory(to: CChar.self).baseAddress)
        }
    }

    /// A value or list, or its size where `capacity` is 0.
    ///
    /// - Throws: ``VFSError`` ERANGE where it does not fit.
    func extendedAttribute(_ value: [UInt8], capacity: Int) throws(VFSError) {
        if capacity == 0 {
            fuse_reply_xattr(request.pointer, value.count)
        } else if value.count > capacity {
            throw VFSError(.outOfRange)
        } else {
            value.withUnsafeBytes { bytes($0) }
        }
    }
}

extension Lifetime {
    /// Seconds, as libfuse takes it. Ten years are longer than a mount lives.
    var seconds: Double {
        switch self {
        case .unlimited: 10 * 365 * 86_400
        case .moment: 0.001
        case .none: 0
        }
    }
}

extension fuse_entry_param {
    init(_ entry: Entry) {
        self.init()
        ino = entry.node.value
        attr = stat(entry.attributes)
        attr_timeout = entry.lifetime.seconds
        entry_timeout = entry.nameLifetime.seconds
    }
}

extension fuse_file_info {
    mutating func set(_ file: OpenedFile) {
        fh = file.handle.value
        keep_cache = file.keepsCache ? 1 : 0
        direct_io = file.isDirect ? 1 : 0
        // Only a control file has anything to say when it is closed.
        noflush = file.isDirect ? 0 : 1
    }
}

extension stat {
    init(_ attributes: Attributes) {
        self.init()
        st_ino = UInt(attributes.inode)
        st_mode = attributes.kind.fileType | UInt32(attributes.mode)
        st_nlink = UInt(attributes.linkCount)
        st_uid = attributes.uid
        st_gid = attributes.gid
        st_rdev = UInt(attributes.device)
        st_size = Int(clamping: attributes.size)
        st_blksize = 4096
        st_blocks = Int(clamping: attributes.blocks)
        st_atim = attributes.atime.timespec
        st_mtim = attributes.mtime.timespec
        st_ctim = attributes.ctime.timespec
    }
}
