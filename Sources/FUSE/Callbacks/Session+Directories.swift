internal import CFuse
internal import CFuse3
internal import Glibc
internal import Objects
internal import Store
internal import SystemPackage
internal import VFS

extension Session {
    static func addDirectories(to table: inout fuse_lowlevel_ops) {
        // The kernel asks no more from then on, keeps all listings, and reads them by number and position.
        table.opendir = { request, _, _ in
            guard let request = Request(request) else { return }
            request.answer("opendir") { (_) throws(VFSError) in throw VFSError(.noFunction) }
        }
        table.readdir = { request, node, size, offset, _ in
            guard let request = Request(request) else { return }
            request.answer("readdir") { (reply) throws(VFSError) in
                var lines = DirectoryBuffer(request, size)
                let mayKeep = try request.fileSystem.list(NodeID(node), from: Int64(offset)) {
                    name, inode, kind, next in
                    lines.add(name, inode, kind, next)
                }
                if !mayKeep { request.session.forgetListing(NodeID(node)) }
                lines.withBytes { reply.bytes($0) }
            }
        }
        table.readdirplus = { request, node, size, offset, _ in
            guard let request = Request(request) else { return }
            request.answer("readdirplus") { (reply) throws(VFSError) in
                var lines = DirectoryBuffer(request, size)
                let mayKeep = try request.fileSystem.listEntries(NodeID(node), from: Int64(offset)) {
                    name, entry, inode, kind, next in
                    lines.add(name, entry, inode, kind, next)
                }
                if !mayKeep { request.session.forgetListing(NodeID(node)) }
                lines.withBytes { reply.bytes($0) }
            }
        }
        table.fsyncdir = { request, node, _, _ in
            guard let request = Request(request) else { return }
            request.answerSlowly("fsyncdir") { (reply) throws(VFSError) in
                try request.fileSystem.syncDirectory(NodeID(node))
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
