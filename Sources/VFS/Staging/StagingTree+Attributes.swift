internal import Objects
internal import Store
internal import SystemPackage

// What `stat`, `chmod`, `chown`, `utimensat`, `truncate`, `readlink` and the calls on extended attributes do.
extension StagingTree {
    func attributes(of node: StagingNode) throws(VFSError) -> Attributes {
        try lock.withLock { _ throws(VFSError) in try currentAttributes(of: node) }
    }

    /// With the lock held.
    func currentAttributes(of node: StagingNode) throws(VFSError) -> Attributes {
        guard node === root || table.isLinked(node) else { return try namelessAttributes(of: node) }
        var attributes: Attributes
        switch node.form {
        case .base(let entry):
            attributes = Attributes(entry, inode: node.inode)
            try attributes.countBlocks(of: entry.blob, in: store)
        case .upper:
            let place = try place(node)
            let status = try called { () throws(Errno) in try Syscall.status(place) }
            attributes = Attributes(status, of: node)
            try attributes.countBlocks(of: node.reference?.digest, in: store)
        }
        // Of one that is not laid over another, the backing filesystem has counted.
        if let tree = node.baseTree { attributes.linkCount = 2 + (try directoryCount(of: node, over: tree)) }
        node.lastAttributes = attributes
        return attributes
    }

    /// How many directories a directory shows that is, or is laid over, the base's `tree`.
    private func directoryCount(of node: StagingNode, over tree: Digest) throws(VFSError) -> UInt64 {
        if let known = node.directoryCount { return known }
        var count = try stored { () throws(StoreError) in try store.trees.directoryCount(in: tree) }
        if node.isUpper {
            let place = try place(node)
            for found in try called({ () throws(Errno) in try Syscall.entries(at: place.fd, place.path) }) {
                // What `upper/` has hides what the base has.
                if try baseEntry(found.name, in: node)?.kind == .directory { count -= 1 }
                if found.kind == .directory { count += 1 }
            }
        }
        node.directoryCount = count
        return count
    }

    private func namelessAttributes(of node: StagingNode) throws(VFSError) -> Attributes {
        if node.isUpper, let file = node.file, !file.isBlob {
            let open = try descriptor(of: node, file)
            let status = try called { () throws(Errno) in try Syscall.status(open) }
            var attributes = Attributes(status, of: node)
            if node.isKeptUnlinked, attributes.linkCount > 0 { attributes.linkCount -= 1 }
            return attributes
        }
        // With no links the kernel would refuse to give another to what is there under its names.
        if node.isForgotten { throw .stale }
        guard var attributes = node.lastAttributes else { throw .stale }
        if !node.isSuperseded { attributes.linkCount = 0 }
        return attributes
    }

    /// The backing file's: of a sealed file that was changed since, when it was changed first.
    func birthTime(of node: StagingNode) throws(VFSError) -> Timestamp? {
        try lock.withLock { _ throws(VFSError) in
            guard node.isUpper else { return nil }
            guard node === root || table.isLinked(node) || node.file?.isBlob == false else { return nil }
            return try withBacking(node) { place throws(Errno) in
                try Syscall.birthTime(place)
            } open: { file throws(Errno) in
                try Syscall.birthTime(file)
            }
        }
    }

    func change(_ node: StagingNode, _ change: SetAttributes, by caller: Caller) throws(VFSError) {
        try workspace.gate.pass { () throws(VFSError) in
            try requireUsable()
            try node.requireChangeable(change)
            if let size = change.size {
                guard node.kind == .file else {
                    throw VFSError(node.isDirectory ? .isDirectory : .invalidArgument)
                }
                if size > 0 { try prepareToWrite(node) }
            }
            if change.size == nil {
                try lock.withLock { _ throws(VFSError) in try makeChange(node, change, by: caller) }
            } else {
                try withoutCopyUp(of: node) { links throws(VFSError) in
                    if node.file?.isFixed == true, table.isLinked(node) {
                        throw try detached(node, &links)
                    }
                    try makeChange(node, change, by: caller)
                }
            }
        }
    }

    /// With the lock held.
    private func makeChange(
        _ node: StagingNode, _ change: SetAttributes, by caller: Caller
    ) throws(VFSError) {
        guard node === root || table.isLinked(node) else {
            return try changeNameless(node, change, by: caller)
        }
        try materialize(node)
        defer { noteChange(of: node) }
        let place = try place(node)
        if let size = change.size { try truncate(node, place, to: size, by: caller) }
        try called { () throws(Errno) in
            if change.changesOwner {
                try Syscall.changeOwner(at: place.fd, place.path, uid: change.uid, gid: change.gid)
            }
            if let mode = change.mode {
                if mode & 0o6000 != 0 { forgetBacking(node.id) }
                try Syscall.changeMode(at: place.fd, place.path, UInt32(mode))
            }
            if change.atime != nil || change.mtime != nil {
                try Syscall.changeTimes(
                    at: place.fd, place.path, access: change.atime, modification: change.mtime)
            }
        }
    }

    private func truncate(
        _ node: StagingNode, _ place: Place, to size: UInt64, by caller: Caller
    ) throws(VFSError) {
        guard let size = Int(exactly: size) else { throw VFSError(.fileTooLarge) }
        let open = node.file.flatMap { $0.isWritable ? $0.descriptor : nil }
        let descriptor = try called { () throws(Errno) in
            if let open { return open }
            return try Syscall.openForWriting(place)
        }
        try resize(node, descriptor, to: size, by: caller)
        if let backing = node.backing { workspace.tracker.touched(backing) }
        // Copying it up for readers has opened it for writing, which the seal would take for a program's doing.
        if node.writeCount == 0 { node.file?.stopWriting() }
    }

    /// Through the open file, or on what is remembered of it where there is none.
    private func changeNameless(
        _ node: StagingNode, _ change: SetAttributes, by caller: Caller
    ) throws(VFSError) {
        guard node.isUpper, let file = node.file, !file.isBlob else {
            guard change.size == nil, !node.isForgotten, let last = node.lastAttributes else { throw .stale }
            node.lastAttributes = last.changed(by: change, at: Store.clock())
            return
        }
        let descriptor = try descriptor(of: node, file)
        if change.size != nil { try clearSetIDs(descriptor, by: caller) }
        try called { () throws(Errno) in
            if let size = change.size { try Syscall.truncate(descriptor.fd, to: Int(clamping: size)) }
            if change.changesOwner {
                try Syscall.changeOwner(descriptor.fd, uid: change.uid, gid: change.gid)
            }
            if let mode = change.mode {
                if mode & 0o6000 != 0 { forgetBacking(node.id) }
                try Syscall.changeMode(descriptor.fd, UInt32(mode))
            }
            if change.atime != nil || change.mtime != nil {
                try Syscall.changeTimes(descriptor.fd, access: change.atime, modification: change.mtime)
            }
        }
    }

    func target(of node: StagingNode) throws(VFSError) -> [UInt8] {
        guard node.kind == .symlink else { throw VFSError(.invalidArgument) }
        return try lock.withLock { _ throws(VFSError) in
            if case .base(let entry) = node.form, case .target(let target) = entry.content { return target }
            let place = try place(node)
            return try called { () throws(Errno) in try Syscall.readSymlink(at: place.fd, place.path) }
        }
    }

    // MARK: Extended attributes

    func extendedAttribute(_ name: [UInt8], of node: StagingNode) throws(VFSError) -> [UInt8]? {
        if UpperMark.isReserved(name) { return nil }
        return try lock.withLock { _ throws(VFSError) in
            if case .base(let entry) = node.form { return entry.xattrs.first { $0.name == name }?.value }
            return try withBacking(node) { place throws(Errno) in
                try Syscall.attribute(at: place.fd, place.path, RawPath(name))
            } open: { file throws(Errno) in
                try Syscall.attribute(file.fd, RawPath(name))
            }
        }
    }

    func extendedAttributeNames(of node: StagingNode) throws(VFSError) -> [[UInt8]] {
        try lock.withLock { _ throws(VFSError) in
            if case .base(let entry) = node.form { return entry.shownAttributes.map(\.name) }
            let names = try withBacking(node) { place throws(Errno) in
                try Syscall.attributeNames(at: place.fd, place.path)
            } open: { file throws(Errno) in
                try Syscall.attributeNames(file.fd)
            }
            return names.filter { !UpperMark.isReserved($0) }
        }
    }

    /// - Parameter value: nil removes.
    func setExtendedAttribute(
        _ name: [UInt8], _ value: [UInt8]?, flags: Int32, of node: StagingNode
    ) throws(VFSError) {
        if UpperMark.isReserved(name) { throw .notPermitted }
        try workspace.gate.pass { () throws(VFSError) in
            try requireUsable()
            if !node.flags.isDisjoint(with: .binding) { throw .notPermitted }
            try lock.withLock { _ throws(VFSError) in
                try materialize(node)
                defer { noteChange(of: node) }
                try withBacking(node) { place throws(Errno) in
                    if let value {
                        try Syscall.setAttribute(at: place.fd, place.path, RawPath(name), value, flags: flags)
                    } else {
                        try Syscall.removeAttribute(at: place.fd, place.path, RawPath(name))
                    }
                } open: { file throws(Errno) in
                    if let value {
                        try Syscall.setAttribute(file.fd, RawPath(name), value, flags: flags)
                    } else {
                        try Syscall.removeAttribute(file.fd, RawPath(name))
                    }
                }
                node.hasDefaultACL = nil
            }
        }
    }

    /// Reaches the node's backing file by its path, or by what is open of it once it has lost its name.
    private func withBacking<Result>(
        _ node: StagingNode, _ path: (Place) throws(Errno) -> Result,
        open: (Descriptor) throws(Errno) -> Result
    ) throws(VFSError) -> Result {
        if node === root || table.isLinked(node) {
            let place = try place(node)
            return try called { () throws(Errno) in try path(place) }
        }
        guard let file = node.file, !file.isBlob else { throw .stale }
        let descriptor = try descriptor(of: node, file)
        return try called { () throws(Errno) in try open(descriptor) }
    }
}

extension Attributes {
    /// With what `change` asks for, but for the size.
    fileprivate func changed(by change: SetAttributes, at now: Timestamp) -> Attributes {
        var result = self
        result.mode = change.mode ?? mode
        if kind == .file, change.changesOwner, change.mode == nil,
            let cleared = SetIDs.cleared(UInt32(mode), byMember: true)
        {
            result.mode = UInt16(cleared)
        }
        result.uid = change.uid ?? uid
        result.gid = change.gid ?? gid
        result.atime = change.atime?.time(at: now) ?? atime
        result.mtime = change.mtime?.time(at: now) ?? mtime
        result.ctime = now
        return result
    }

    /// What the backing file's `stat` says of `node`.
    init(_ status: FileStatus, of node: StagingNode) {
        let size = node.reference?.size ?? status.size
        self.init(
            inode: node.inode, kind: node.kind, mode: status.permissions,
            linkCount: node.isDirectory
                ? status.linkCount
                : node.tree.workspace.tracker.linkCount(status.linkCount, of: status.inode),
            uid: status.uid, gid: status.gid, device: status.device, size: size,
            blocks: node.reference != nil ? (size + 511) / 512 : status.blocks,
            atime: status.atime, mtime: status.mtime, ctime: status.ctime)
    }
}

extension TimeChange {
    fileprivate func time(at now: Timestamp) -> Timestamp {
        switch self {
        case .now: now
        case .at(let time): time
        }
    }
}
