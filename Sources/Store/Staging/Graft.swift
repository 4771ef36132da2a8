public import Objects
internal import SystemPackage

extension Store {
    /// Puts a tree that was prepared in the store's `tmp/` at `path` of staging, in place of what staging shows
    /// there, in one step and durably. Its files become staged ones; nothing of the base shows through.
    ///
    /// Directories above it that staging lacks are made.
    ///
    /// - Parameters:
    ///   - prepared: its name in `tmp/`; a directory where `path` is the root. Gone from there afterwards, also
    ///     when an error is thrown.
    ///   - force: whether staged changes at `path` may be lost.
    ///   - replaced: called with the gate still closed, with the path.
    ///   - opened: called after it with the gate open, before what was there is removed, which may take seconds.
    /// - Throws: ``StoreError`` `.stagedChanges`, `.invalidInput` where a directory above is a file in staging.
    public func graft(
        _ prepared: RawPath, at path: TreePath, into workspace: Workspace, force: Bool,
        replaced: ([TreePath]) throws(StoreError) -> Void = { _ in }, opened: () -> Void = {}
    ) throws(StoreError) {
        defer { temporary.discard(prepared) }
        try exclusively("import") { () throws(StoreError) in
            try workspace.requireUsable()
            try replace(workspace, [path], force: force, replaced, opened) {
                (replacement, path) throws(StoreError) in
                if path.isRoot { return try workspace.replaceUpper(withPrepared: prepared) }
                try replacement.put(prepared: prepared, at: path) { parent throws(StoreError) in
                    var entry = Workspace.firstRoot(Digest.of(TreeNode.empty.encoded()))
                    entry.mtime = now()
                    return entry
                }
                return nil
            }
        }
    }
}

extension Workspace {
    /// Makes a directory of `tmp/` the `upper/` of the same generation and base version. The gate must be
    /// closed.
    ///
    /// - Returns: the name of the old one in the temporary directory.
    fileprivate func replaceUpper(withPrepared name: RawPath) throws(StoreError) -> RawPath {
        let mark = self.mark
        try RemoveTree.remove(Workspace.nextName, at: directory)
        let place = overlay.temporary.place(name)
        let flags = try overlay.probe(place)?.mark.flags ?? []
        try overlay.mark(place, .directory, UpperMark(inode: InodeNumber.random(), flags: flags))
        try system("place", Workspace.nextName.display) { () throws(Errno) in
            let made = try Workspace.mark(name, at: overlay.temporary.fd, mark)
            try Syscall.sync(made.fd)
            try Syscall.rename(at: overlay.temporary.fd, name, to: directory.fd, Workspace.nextName)
            try Syscall.sync(directory.fd)
        }
        return try swapToNext(mark)
    }
}
