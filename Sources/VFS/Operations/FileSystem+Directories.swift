public import Objects
internal import Store
internal import SystemPackage

// FUSE_OPENDIR, FUSE_READDIR, FUSE_READDIRPLUS, FUSE_RELEASEDIR, FUSE_FSYNCDIR
extension FileSystem {
    /// - Returns: a handle, and whether the kernel may keep what it lists.
    public func openDirectory(_ id: NodeID) throws(VFSError) -> (HandleID, isConstant: Bool) {
        let node = try node(id)
        guard node.isDirectory else { throw VFSError(.notDirectory) }
        let handle = directories.add(DirectoryHandle(node))
        record?.append(.openedDirectory(handle, id))
        return (handle, node is SealedNode)
    }

    /// Lists names from `position` on, `.` and `..` first, as long as `emit` takes them.
    ///
    /// - Parameter emit: given a name, its inode number, its kind and the position after it; returns whether it
    ///   found room.
    public func list(
        _ handle: HandleID, from position: Int64, emit: (FileName, UInt64, EntryKind, Int64) -> Bool
    ) throws(VFSError) {
        try forEachItem(handle, from: position) { (parent, item, next) throws(VFSError) in
            guard let item else { return emitDots(next, parent, emit) }
            // What it will be shown as is known without a node, or needs one to be asked.
            if let inode = item.inode { return emit(item.name, inode, item.kind, next) }
            guard let child = try parent.child(item.name) else { return true }
            defer { table.dropIfUnused(child) }
            return emit(item.name, child.inode, child.kind, next)
        }
    }

    private func emitDots(
        _ next: Int64, _ parent: Node, _ emit: (FileName, UInt64, EntryKind, Int64) -> Bool
    ) -> Bool {
        let dots = [UInt8](repeating: UInt8(ascii: "."), count: Int(next))
        // What lies above the mount the kernel knows itself.
        let shown = next == 1 ? parent : table.links(parent).first?.parent ?? parent
        return emit(FileName(unchecked: dots), shown.inode, .directory, next)
    }

    /// The same with entries, for which the kernel holds one more lookup each if `emit` took them.
    ///
    /// - Parameter emit: the entry is nil for `.` and `..`, which are not counted.
    public func listEntries(
        _ handle: HandleID, from position: Int64, emit: (FileName, Entry?, UInt64, EntryKind, Int64) -> Bool
    ) throws(VFSError) {
        try forEachItem(handle, from: position) { (parent, item, next) throws(VFSError) in
            guard let item else {
                return emitDots(next, parent) { emit($0, nil, $1, $2, $3) }
            }
            let found: Entry?
            do throws(VFSError) { found = try entry(parent, item.name) } catch {
                if error.code == .noSuchFileOrDirectory || error.code == .staleNFSFileHandle { return true }
                throw error
            }
            // Gone since the listing was taken.
            guard let entry = found else { return true }
            if emit(item.name, entry, entry.attributes.inode, entry.attributes.kind, next) { return true }
            table.release(entry.node, count: 1)
            return false
        }
    }

    /// - Parameter body: the item is nil for `.` (next position 1) and `..` (2).
    private func forEachItem(
        _ handle: HandleID, from position: Int64,
        _ body: (Node, DirectoryItem?, Int64) throws(VFSError) -> Bool
    ) throws(VFSError) {
        let directory = try directories.find(handle)
        let items = try directory.listing(restarting: position == 0)
        var index = max(0, position)
        defer { if index > position, index > 2 { note(handle, items[Int(index - 3)], count: index - 2) } }
        while index < Int64(items.count) + 2 {
            let item = index < 2 ? nil : items[Int(index - 2)]
            do throws(VFSError) {
                guard try body(directory.node, item, index + 1) else { return }
            } catch {
                // What was listed before the error is still to be had.
                if index == position { throw error }
                return
            }
            index += 1
        }
    }

    /// For who goes on with the listing: by what it has got, since names may come and go.
    private func note(_ handle: HandleID, _ last: DirectoryItem, count: Int64) {
        record?.append(.listed(handle, count: count, last.name, position: last.position))
    }

    public func releaseDirectory(_ handle: HandleID) {
        if directories.remove(handle) != nil { record?.append(.closedDirectory(handle)) }
    }

    /// Durable when it returns: names made, moved and removed in it.
    public func syncDirectory(_ handle: HandleID) throws(VFSError) {
        try directories.find(handle).node.syncDirectory()
    }
}
