internal import CFuse
internal import CFuse3
internal import Objects
internal import Store
internal import SystemPackage
internal import VFS

extension Session {
    static func addNamespace(to table: inout fuse_lowlevel_ops) {
        table.mknod = { request, parent, name, mode, device in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = (FileName(rawName), request.caller)
            request.answerChange("mknod") { (reply) throws(VFSError) in
                guard let kind = EntryKind(mode: mode) else { throw VFSError(.invalidArgument) }
                reply.entry(
                    try request.fileSystem.makeNode(
                        NodeID(parent), name, kind, mode: UInt16(mode & 0o7777), device: UInt64(device),
                        by: caller))
            }
        }
        table.mkdir = { request, parent, name, mode in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = (FileName(rawName), request.caller)
            request.answerChange("mkdir") { (reply) throws(VFSError) in
                reply.entry(
                    try request.fileSystem.makeDirectory(
                        NodeID(parent), name, mode: UInt16(mode & 0o7777), by: caller))
            }
        }
        table.symlink = { request, target, parent, name in
            guard let request = Request(request), let rawName = name, let rawTarget = target else { return }
            let (name, target, caller) = (FileName(rawName), [UInt8](rawTarget), request.caller)
            request.answerChange("symlink") { (reply) throws(VFSError) in
                reply.entry(
                    try request.fileSystem.makeSymlink(NodeID(parent), name, target: target, by: caller))
            }
        }
        table.link = { request, node, parent, name in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = (FileName(rawName), request.caller)
            request.answerChange("link") { (reply) throws(VFSError) in
                reply.entry(try request.fileSystem.link(NodeID(node), NodeID(parent), name, by: caller))
            }
        }
        table.unlink = { request, parent, name in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = (FileName(rawName), request.caller)
            request.answerChange("unlink") { (reply) throws(VFSError) in
                try request.fileSystem.remove(NodeID(parent), name, isDirectory: false, by: caller)
                reply.done()
            }
        }
        table.rmdir = { request, parent, name in
            guard let request = Request(request), let rawName = name else { return }
            let (name, caller) = (FileName(rawName), request.caller)
            request.answerChange("rmdir") { (reply) throws(VFSError) in
                try request.fileSystem.remove(NodeID(parent), name, isDirectory: true, by: caller)
                reply.done()
            }
        }
        table.rename = { request, parent, name, newParent, newName, flags in
            guard let request = Request(request), let rawName = name, let rawNewName = newName else { return }
            let (name, newName, caller) = (FileName(rawName), FileName(rawNewName), request.caller)
            request.answerChange("rename") { (reply) throws(VFSError) in
                let moved = try request.fileSystem.rename(
                    NodeID(parent), name, to: NodeID(newParent), newName, mode: try RenameMode(flags: flags),
                    by: caller)
                for directory in moved { request.session.forgetListing(directory) }
                reply.done()
            }
        }
    }
}

extension RenameMode {
    /// - Parameter flags: as `renameat2` takes them.
    init(flags: UInt32) throws(VFSError) {
        switch Syscall.RenameFlags(rawValue: flags) {
        case []: self = .replace
        case .noReplace: self = .noReplace
        case .exchange: self = .exchange
        case .whiteout: self = .leavingDevice(replaces: true)
        case [.whiteout, .noReplace]: self = .leavingDevice(replaces: false)
        default: throw VFSError(.invalidArgument)
        }
    }
}
