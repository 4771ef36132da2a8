internal import Objects
internal import Store
internal import SystemPackage

// What `chattr` sets, and what that forbids. See: `man 1 chattr`.
//
// It is forbidden to who comes by the mount. The seal, restore, abort and import go by the store and its owner.
extension StagingTree {
    func setFlags(
        of node: StagingNode, _ wanted: FileFlags, among mask: FileFlags, by caller: Caller
    ) throws(VFSError) {
        try workspace.gate.pass { () throws(VFSError) in
            try requireUsable()
            // A copy-up writes the mark as it found it.
            try withoutCopyUp(of: node) { _ throws(VFSError) in
                let owner = try currentAttributes(of: node).uid
                guard caller.uid == 0 || caller.uid == owner else { throw .notPermitted }
                let before = node.flags
                let after = before.subtracting(mask).union(wanted).intersection(.all(of: node.kind))
                let changed = before.symmetricDifference(after)
                if changed.isEmpty { return }
                guard caller.uid == 0 || changed.isDisjoint(with: .binding) else { throw .notPermitted }
                // What is immutable can but cease to be.
                if before.contains(.immutable), after.contains(.immutable) { throw .notPermitted }
                try materialize(node)
                defer { noteChange(of: node) }
                try keep(after, of: node)
                node.flags = after
                forgetBacking(node.id)
            }
        }
    }

    private func keep(_ flags: FileFlags, of node: StagingNode) throws(VFSError) {
        if node === root || table.isLinked(node) {
            let place = try place(node)
            return try stored { () throws(StoreError) in
                try workspace.overlay.setFlags(flags, at: place, node.kind)
            }
        }
        guard let file = node.file, !file.isBlob else { throw .stale }
        let descriptor = try descriptor(of: node, file)
        let mark = UpperMark(inode: node.hasNumberInMark ? node.inode : nil, flags: flags)
        try stored { () throws(StoreError) in
            try workspace.overlay.setFlags(of: descriptor, mark, subject: "a file without a name")
        }
    }
}

extension StagingNode {
    // Each throws EPERM. A node without flags costs a look at a number.

    func requireOpenable(_ mode: OpenMode) throws(VFSError) {
        let flags = flags
        if flags.contains(.immutable) { throw .notPermitted }
        if flags.contains(.appendOnly), mode.truncates || !mode.appends { throw .notPermitted }
    }

    func requireChangeable(_ change: SetAttributes) throws(VFSError) {
        let flags = flags
        if flags.contains(.immutable) { throw .notPermitted }
        guard flags.contains(.appendOnly) else { return }
        var allowed = SetAttributes()
        if change == allowed { return }
        // Which a write does as well.
        (allowed.atime, allowed.mtime) = (.now, .now)
        if change != allowed { throw .notPermitted }
    }

    /// - Parameter mode: as `fallocate` takes it.
    func requireAllocatable(_ mode: Int32) throws(VFSError) {
        let flags = flags
        let keepsSizeOnly: Int32 = 1
        if flags.contains(.immutable) || flags.contains(.appendOnly) && mode & ~keepsSizeOnly != 0 {
            throw .notPermitted
        }
    }

    /// Of a directory: that `node`, which it holds, may lose its name.
    func requireRemovable(_ node: StagingNode) throws(VFSError) {
        if flags.contains(.appendOnly) || !node.flags.isDisjoint(with: .binding) { throw .notPermitted }
    }
}
