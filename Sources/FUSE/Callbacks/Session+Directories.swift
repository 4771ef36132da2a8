internal import CFuse
internal import CFuse3
internal import Glibc
internal import Objects
internal import Store
internal import VFS

extension Session {
    static func addDirectories(to table: inout fuse_lowlevel_ops) {
        table.opendir = { request, node, info in
            guard let request = Request(request), let info else { return }
            request.answer("opendir") { (reply) throws(VFSError) in
                let (handle, isConstant) = try request.fileSystem.openDirectory(NodeID(node))
                reply.openedDirectory(handle, isConstant: isConstant, info)
            }
        }
        table.readdir = { request, _, size, offset, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answer("readdir") { (reply) throws(VFSError) in
                var lines = DirectoryBuffer(request, size)
                try request.fileSystem.list(handle, from: Int64(offset)) { name, inode, kind, next in
                    lines.add(name, inode, kind, next)
                }
                lines.withBytes { reply.bytes($0) }
            }
        }
        table.readdirplus = { request, _, size, offset, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answer("readdirplus") { (reply) throws(VFSError) in
                var lines = DirectoryBuffer(request, size)
                try request.fileSystem.listEntries(handle, from: Int64(offset)) {
                    name, entry, inode, kind, next in
                    lines.add(name, entry, inode, kind, next)
                }
                lines.withBytes { reply.bytes($0) }
            }
        }
        table.releasedir = { request, _, info in
            guard let request = Request(request), let info else { return }
            request.fileSystem.releaseDirectory(HandleID(info.pointee.fh))
            request.answer("releasedir") { $0.done() }
        }
        table.fsyncdir = { request, _, _, info in
            guard let request = Request(request), let info else { return }
            let handle = HandleID(info.pointee.fh)
            request.answerSlowly("fsyncdir") { (reply) throws(VFSError) in
                try request.fileSystem.syncDirectory(handle)
                reply.done()
            }
        }
    }
}

/// The lines of one answer to a listing, in the kernel's format.
private struct DirectoryBuffer {
    private let request: Request
    private var bytes: [UInt8]
    private var count = 0

    init(_ request: Request, _ size: Int) {
        self.request = request
        bytes = [UInt8](repeating: 0, count: size)
    }

    /// - Returns: whether it fitted.
    mutating func add(_ name: FileName, _ inode: UInt64, _ kind: EntryKind, _ next: Int64) -> Bool {
        var status = stat()
        status.st_ino = UInt(inode)
        status.st_mode = kind.fileType
        let request = request
        return add(name) { buffer, room, name in
            fuse_add_direntry(request.pointer, buffer, room, name, &status, Int(next))
        }
    }

    /// - Parameter entry: nil for `.` and `..`, of which the kernel takes the number and kind alone.
    mutating func add(
        _ name: FileName, _ entry: Entry?, _ inode: UInt64, _ kind: EntryKind, _ next: Int64
    ) -> Bool {
        var parameters = entry.map { fuse_entry_param($0) } ?? fuse_entry_param()
        if entry == nil {
            parameters.attr.st_ino = UInt(inode)
            parameters.attr.st_mode = kind.fileType
        }
        let request = request
        return add(name) { buffer, room, name in
            fuse_add_direntry_plus(request.pointer, buffer, room, name, &parameters, Int(next))
        }
    }

    private mutating func add(
        _ name: FileName, _ write: (UnsafeMutablePointer<CChar>?, Int, UnsafePointer<CChar>) -> Int
    ) -> Bool {
        let room = bytes.count - count
        let used = RawPath(name).withCString { name in
            bytes.withUnsafeMutableBytes { buffer in
                write(
                    buffer.bindMemory(to: CChar.self).baseAddress.map { $0 + buffer.count - room }, room, name
                )
            }
        }
        guard used <= room else { return false }
        count += used
        return true
    }

    func withBytes(_ body: (UnsafeRawBufferPointer) -> Void) {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
}
