internal import CFuse
internal import CFuse3
internal import Glibc
internal import Objects
internal import Store
internal import VFS

extension Session {
    static func addLookup(to table: inout fuse_lowlevel_ops) {
        table.lookup = { request, parent, name in
            guard let request = Request(request), let name else { return }
            request.answer("lookup") { (reply) throws(VFSError) in
                if let entry = try request.fileSystem.lookup(ifPresent: FileName(name), in: NodeID(parent)) {
                    reply.entry(entry)
                } else {
                    reply.absent()
                }
            }
        }
        table.forget = { request, node, count in
            guard let request, let known = Request(request) else { return }
            known.fileSystem.forget(NodeID(node), count: count)
            fuse_reply_none(request)
        }
        table.forget_multi = { request, count, list in
            guard let request, let known = Request(request) else { return }
            for item in UnsafeBufferPointer(start: list, count: count) {
                known.fileSystem.forget(NodeID(item.ino), count: item.nlookup)
            }
            fuse_reply_none(request)
        }
        table.getattr = { request, node, _ in
            guard let request = Request(request) else { return }
            let wantsBirth = firn_request_wants_birth() != 0
            request.answer("getattr") { (reply) throws(VFSError) in
                let (attributes, lifetime) = try request.fileSystem.attributes(NodeID(node))
                guard wantsBirth else { return reply.attributes(attributes, lifetime) }
                reply.attributes(
                    attributes, birth: try request.fileSystem.birthTime(NodeID(node)), lifetime)
            }
        }
        table.setattr = { request, node, status, valid, info in
            guard let request = Request(request), let status else { return }
            let change = SetAttributes(status.pointee, valid: valid)
            let handle = info.map { HandleID($0.pointee.fh) }
            let caller = request.caller
            // A new size may copy the bytes of a sealed file first.
            request.answerChange("setattr", isSlow: change.size != nil) { (reply) throws(VFSError) in
                let (attributes, lifetime) = try request.fileSystem.setAttributes(
                    NodeID(node), change, handle: handle, by: caller)
                reply.attributes(attributes, lifetime)
            }
        }
        table.readlink = { request, node in
            guard let request = Request(request) else { return }
            request.answer("readlink") { (reply) throws(VFSError) in
                reply.target(try request.fileSystem.target(NodeID(node)))
            }
        }
        table.statfs = { request, _ in
            guard let request = Request(request) else { return }
            request.answer("statfs") { (reply) throws(VFSError) in
                reply.status(try request.fileSystem.status())
            }
        }
    }
}

extension SetAttributes {
    /// - Parameter valid: `FUSE_SET_ATTR_*`.
    init(_ status: stat, valid: Int32) {
        self.init()
        if valid & FUSE_SET_ATTR_MODE != 0 { mode = UInt16(status.st_mode & 0o7777) }
        if valid & FUSE_SET_ATTR_UID != 0 { uid = status.st_uid }
        if valid & FUSE_SET_ATTR_GID != 0 { gid = status.st_gid }
        if valid & FUSE_SET_ATTR_SIZE != 0 { size = UInt64(clamping: status.st_size) }
        if valid & FUSE_SET_ATTR_ATIME_NOW != 0 {
            atime = .now
        } else if valid & FUSE_SET_ATTR_ATIME != 0 {
            atime = .at(Timestamp(status.st_atim))
        }
        if valid & FUSE_SET_ATTR_MTIME_NOW != 0 {
            mtime = .now
        } else if valid & FUSE_SET_ATTR_MTIME != 0 {
            mtime = .at(Timestamp(status.st_mtim))
        }
    }
}
