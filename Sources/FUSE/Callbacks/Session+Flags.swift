internal import CFuse
internal import CFuse3
internal import Objects
internal import SystemPackage
internal import VFS

extension Session {
    static func addFlags(to table: inout fuse_lowlevel_ops) {
        table.ioctl = { request, node, command, _, _, _, input, inputByteCount, _ in
            guard let request = Request(request) else { return }
            let kind = firn_ioctl_kind(command)
            switch kind {
            case FIRN_IOCTL_GET_FLAGS, FIRN_IOCTL_GET_XFLAGS:
                request.answer("getflags") { (reply) throws(VFSError) in
                    reply.flags(try request.fileSystem.flags(NodeID(node)), kind)
                }
            case FIRN_IOCTL_SET_FLAGS, FIRN_IOCTL_SET_XFLAGS:
                var bits: UInt32 = 0
                let areFlags = firn_ioctl_flags(kind, input, inputByteCount, &bits) == 0
                let mask: FileFlags =
                    kind == FIRN_IOCTL_SET_XFLAGS ? .inExtendedForm : .all(of: .directory)
                let (flags, caller) = (FileFlags(rawValue: bits), request.caller)
                // A copy-up of the file, which is to have the flags as well, is waited for.
                request.answerSlowly("setflags") { (reply) throws(VFSError) in
                    guard areFlags else { throw VFSError(.notSupported) }
                    try request.fileSystem.setFlags(NodeID(node), flags, among: mask, by: caller)
                    // Of this change the kernel does not know that it sets a time.
                    request.session.refreshAttributes(ofChanged: NodeID(node))
                    reply.flagsSet()
                }
            default:
                request.answer("ioctl") { (_) throws(VFSError) in
                    throw VFSError(.inappropriateIOCTLForDevice)
                }
            }
        }
    }
}
