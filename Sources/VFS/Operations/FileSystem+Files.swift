public import Objects
public import Store
internal import SystemPackage

// FUSE_OPEN, FUSE_CREATE, FUSE_READ, FUSE_WRITE, FUSE_FLUSH, FUSE_FSYNC, FUSE_RELEASE, FUSE_FALLOCATE, FUSE_LSEEK,
// FUSE_COPY_FILE_RANGE, FUSE_TMPFILE
extension FileSystem {
    /// See: `man 2 open`.
    public func open(_ id: NodeID, _ mode: OpenMode, by caller: Caller) throws(VFSError) -> OpenedFile {
        let node = try node(id)
        if caller.isRepeated { releaseUnanswered(caller.request) }
        return opened(try node.open(mode, by: caller), mode, by: caller)
    }

    /// Whether opening copies bytes first, so that it should not keep others waiting.
    public func isSlowToOpen(_ id: NodeID, _ mode: OpenMode) -> Bool {
        table.node(id)?.isSlowToOpen(mode) ?? false
    }

    private func opened(_ handle: FileHandle, _ mode: OpenMode, by caller: Caller) -> OpenedFile {
        let backing = handle.backing
        let id = files.add(handle)
        record?.append(
            .opened(id, handle.node.id, mode, backing: backing?.id ?? 0, request: caller.request))
        return OpenedFile(
            handle: id, keepsCache: handle.opened.keepsCache, isDirect: handle.opened.isDirect,
            backing: backing)
    }

    /// Makes a file and opens it. See: `man 2 open`, O_CREAT.
    ///
    /// - Parameter isExclusive: whether it must not be there (O_EXCL).
    /// - Throws: ``VFSError`` ESTALE where it is there, which the kernel did not know: it looks the name up and opens it.
    public func create(
        _ parent: NodeID, _ name: FileName, mode: UInt16, isExclusive: Bool = true, by caller: Caller
    ) throws(VFSError) -> (Entry, OpenedFile) {
        guard name.bytes.count <= FileName.byteCountMax else { throw VFSError(.fileNameTooLong) }
        guard let parent = try node(parent) as? StagingNode else { throw .readOnly }
        if caller.isRepeated {
            releaseUnanswered(caller.request)
            try removeUnfinished(parent, name)
        }
        let (node, handle): (StagingNode, StagingHandle)
        do throws(VFSError) {
            (node, handle) = try parent.tree.createOpen(in: parent, name, mode: mode, by: caller)
        } catch {
            throw error.code == .fileExists && !isExclusive ? .stale : error
        }
        do throws(VFSError) { return try answered(node, handle, by: caller) } catch {
            // The kernel goes on knowing that there is none. Where it cannot be taken back the first error is the one to tell.
            try? takeBack(name, of: parent, isDirectory: false)
            throw error
        }
    }

    /// Makes a file without a name and opens it. See: `man 2 open`, O_TMPFILE.
    public func createNameless(
        _ parent: NodeID, mode: UInt16, by caller: Caller
    ) throws(VFSError) -> (Entry, OpenedFile) {
        guard let parent = try node(parent) as? StagingNode else { throw .readOnly }
        if caller.isRepeated { releaseUnanswered(caller.request) }
        let (node, handle) = try parent.tree.createNameless(in: parent, mode: mode, by: caller)
        return try answered(node, handle, by: caller)
    }

    private func answered(
        _ node: Node, _ handle: FileHandle, by caller: Caller
    ) throws(VFSError) -> (Entry, OpenedFile) {
        let mode = OpenMode(reads: true, writes: true, truncates: false)
        do throws(VFSError) {
            var entry = try entry(node)
            // The kernel looks at them once more before the open is done.
            if entry.lifetime == .none { entry.lifetime = .moment }
            return (entry, opened(handle, mode, by: caller))
        } catch {
            handle.release()
            throw error
        }
    }

    public func read(
        _ handle: HandleID, into buffer: UnsafeMutableRawBufferPointer, at offset: Int64
    ) throws(VFSError) -> Int {
        try files.find(handle).read(into: buffer, at: offset)
    }

    /// Whether a write may take long: one that commits.
    public func isSlowToWrite(_ handle: HandleID) -> Bool {
        (try? files.find(handle))?.node is ControlFile
    }

    /// - Returns: how many bytes were written; fewer than given only on a disk that filled up.
    public func write(
        _ handle: HandleID, _ bytes: UnsafeRawBufferPointer, at offset: Int64, by caller: Caller
    ) throws(VFSError) -> Int {
        try files.find(handle).write(bytes, at: offset, by: caller)
    }

    public func flush(_ handle: HandleID) throws(VFSError) { try files.find(handle).flush() }

    /// Durable when it returns. See: `man 2 fsync`, `man 2 fdatasync`.
    public func sync(_ handle: HandleID, dataOnly: Bool) throws(VFSError) {
        let file = try files.find(handle)
        guard let node = file.node as? StagingNode else { return try file.sync(dataOnly: dataOnly) }
        try node.syncing(dataOnly: dataOnly) { (dataOnly) throws(VFSError) in
            try file.sync(dataOnly: dataOnly)
        }
    }

    /// For a file that was opened with O_DSYNC or O_SYNC: what the kernel writes and syncs past the daemon must not
    /// be hidden by a mark after a power cut. Closes it where that fails.
    public func settle(_ handle: HandleID) throws(VFSError) {
        do throws(VFSError) { try sync(handle, dataOnly: true) } catch {
            release(handle)
            throw error
        }
    }

    public func release(_ handle: HandleID) {
        guard let open = files.remove(handle) else { return }
        record?.append(.closed(handle))
        open.release()
    }

    /// Closes what a daemon that died had opened for a request and told nobody of.
    private func releaseUnanswered(_ request: UInt64) {
        if let handle = unanswered.withLock({ $0.removeValue(forKey: request) }) { release(handle) }
    }

    /// See: `man 2 fallocate`.
    public func allocate(
        _ handle: HandleID, mode: Int32, offset: Int64, length: Int64, by caller: Caller
    ) throws(VFSError) {
        try files.find(handle).allocate(mode: mode, offset: offset, length: length, by: caller)
    }

    /// See: `man 2 lseek`, SEEK_DATA and SEEK_HOLE.
    public func seek(
        _ handle: HandleID, _ target: Syscall.SeekTarget, from offset: Int64
    ) throws(VFSError) -> Int64 {
        try files.find(handle).seek(target, from: offset)
    }

    /// See: `man 2 copy_file_range`. The bytes do not pass through the daemon.
    public func copy(
        from source: HandleID, at sourceOffset: Int64, to target: HandleID, at targetOffset: Int64,
        count: Int,
        by caller: Caller
    ) throws(VFSError) -> Int {
        let from = try files.find(source).descriptor()
        let handle = try files.find(target)
        guard let staged = handle.node as? StagingNode else { throw VFSError(.badFileDescriptor) }
        return try staged.tree.workspace.gate.pass { () throws(VFSError) in
            if staged.flags.contains(.immutable) { throw .notPermitted }
            let to = try handle.descriptor()
            try staged.tree.clearSetIDs(to, by: caller)
            return try called { () throws(Errno) in
                try Syscall.copyRange(
                    from: from.fd, at: Int(sourceOffset), to: to.fd, at: Int(targetOffset), count: count)
            }
        }
    }
}
