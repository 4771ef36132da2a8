public import Objects
internal import Store
internal import SystemPackage

// FUSE_READDIR, FUSE_READDIRPLUS, FUSE_FSYNCDIR. Directories are not opened: a listing is asked for by number and position.
extension FileSystem {
    /// Lists names behind `position`, `.` and `..` first, as long as `emit` takes them.
    ///
    /// - Parameter emit: given a name, its inode number, its kind and the position after it; returns whether it
    ///   found room.
    /// - Returns: whether the kernel may keep what was listed until it changes the directory itself.
    public func list(
        _ id: NodeID, from position: Int64, emit: (FileName, UInt64, EntryKind, Int64) -> Bool
    ) throws(VFSError) -> Bool {
        try forEachItem(of: id, from: position) { (parent, item, next) throws(VFSError) in
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
        _ id: NodeID, from position: Int64, emit: (FileName, Entry?, UInt64, EntryKind, Int64) -> Bool
    ) throws(VFSError) -> Bool {
        try forEachItem(of: id, from: position) { (parent, item, next) throws(VFSError) in
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
        of id: NodeID, from position: Int64,
        _ body: (Node, DirectoryItem?, Int64) throws(VFSError) -> Bool
    ) throws(VFSError) -> Bool {
        guard position >= 0 else { throw VFSError(.invalidArgument) }
        let directory = try node(id)
        let listing = try listings.listing(of: directory, behind: position)
        let rest = listing.items[listing.index(behind: position)...]
        if position >= 2, rest.isEmpty { listings.end(directory) }
        var hasRoom = true
        for next in min(position, 2)..<2 where hasRoom { hasRoom = try body(directory, nil, next + 1) }
        var index = rest.startIndex
        while hasRoom, index < rest.endIndex {
            do throws(VFSError) { hasRoom = try body(directory, rest[index].item, rest[index].next) } catch {
                // What was listed before the error is still to be had.
                if position >= 2, index == rest.startIndex { throw error }
                break
            }
            index += 1
        }
        return listing.mayBeKept(for: position, directory.listingOrder)
    }

    /// Durable when it returns: names made, moved and removed in it.
    public func syncDirectory(_ id: NodeID) throws(VFSError) { try node(id).syncDirectory() }
}
