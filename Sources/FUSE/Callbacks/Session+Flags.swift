internal import CFuse
internal import CFuse3
internal import SystemPackage
internal import VFS

extension Session {
    static func addFlags(to table: inout fuse_lowlevel_ops) {
        table.ioctl = { request, node, command, _, _, _, input, inputByteCount, _ in
            guard let request = Request(request) else { return }
            let kind = firn_ioctl_kind(command)
            switch kind {
            case FIRN_IOCTL_GET_FLAGS, FIRN_IOCTL_GET_XFLAGS:
                request.answer("getflags") { reply in reply.noFlags(kind) }
            case FIRN_IOCTL_SET_FLAGS, FIRN_IOCTL_SET_XFLAGS:
                let setsAny = firn_ioctl_sets_any(kind, input, inputByteCount) != 0
                request.answer("setflags") { (reply) throws(VFSError) in
                    try request.fileSystem.setFlags(NodeID(node), setsAny: setsAny)
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
