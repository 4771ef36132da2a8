internal import CFuse
internal import CFuse3
internal import VFS

extension Session {
    static func addExtendedAttributes(to table: inout fuse_lowlevel_ops) {
        table.getxattr = { request, node, name, size in
            guard let request = Request(request), let name else { return }
            request.answer("getxattr") { (reply) throws(VFSError) in
                try reply.extendedAttribute(
                    try request.fileSystem.extendedAttribute(NodeID(node), [UInt8](name)), capacity: size)
            }
        }
        table.listxattr = { request, node, size in
            guard let request = Request(request) else { return }
            request.answer("listxattr") { (reply) throws(VFSError) in
                try reply.extendedAttribute(
                    try request.fileSystem.extendedAttributeNames(NodeID(node)), capacity: size)
            }
        }
        table.setxattr = { request, node, name, value, size, flags in
            guard let request = Request(request), let rawName = name else { return }
            let name = [UInt8](rawName)
            let value = [UInt8](UnsafeRawBufferPointer(start: value, count: size))
            let caller = request.caller
            request.answerChange("setxattr") { (reply) throws(VFSError) in
                try request.fileSystem.setExtendedAttribute(
                    NodeID(node), name, value, flags: flags & ~FIRN_XATTR_KILL_SGID,
                    clearsSetGroupID: flags & FIRN_XATTR_KILL_SGID != 0, by: caller)
                reply.done()
            }
        }
        table.removexattr = { request, node, name in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = ([UInt8](rawName), request.caller)
            request.answerChange("removexattr") { (reply) throws(VFSError) in
                try request.fileSystem.removeExtendedAttribute(NodeID(node), name, by: caller)
                reply.done()
            }
        }
    }
}
