internal import Objects
internal import Store

// Which inode number a node of staging has: see `docs/ARCHITECTURE.md`, "Inode numbers". With the lock held.
extension StagingTree {
    /// The number of what the base has as `name` in `directory`.
    func baseNumber(_ name: FileName, in directory: StagingNode) throws(VFSError) -> UInt64 {
        let number = number(above: directory)
        if directory.notedNumbers == nil {
            directory.notedNumbers = try stored { () throws(StoreError) in
                try store.notedNumbers(in: number)
            }
        }
        return directory.notedNumbers?[name] ?? InodeNumber.first(name, in: number)
    }

    /// The number of something found in `upper/`.
    func number(of upper: UpperEntry, _ name: FileName, in directory: StagingNode) -> UInt64 {
        workspace.number(of: upper, name, in: number(above: directory))
    }

    /// The number from which those of what `directory` holds follow.
    private func number(above directory: StagingNode) -> UInt64 {
        directory === root ? topNumber.withLock { $0 } : directory.inode
    }

    /// To be called when `upper/` is another.
    func readTopNumber() throws(VFSError) {
        let number = try stored { () throws(StoreError) in try store.topNumber(of: workspace) }
        topNumber.withLock { $0 = number }
    }

    /// What gives something that is just being made a number with which its name was never shown; nil where the
    /// name itself does, since it was never another file's.
    ///
    /// With the flags that it gets from the directory.
    func markOfNew(_ kind: EntryKind, in parent: StagingNode) -> UpperMark? {
        let flags = parent.flags.intersection(.inherited).intersection(.all(of: kind))
        if parent.isPristine, flags.isEmpty { return nil }
        return UpperMark(inode: parent.isPristine ? nil : InodeNumber.random(), flags: flags)
    }

    /// To be called before a file loses a name: the number of one that has others follows from neither of them.
    func keepNumberOfLinked(_ node: StagingNode) throws(VFSError) {
        if node.isUpper, !node.isDirectory, (node.lastAttributes?.linkCount ?? 0) > 1 { try keepNumber(node) }
    }

    /// Sees to it that a node of `upper/` has its number wherever its name may be.
    func keepNumber(_ node: StagingNode) throws(VFSError) {
        if node.hasNumberInMark { return }
        var mark = node.mark
        if let tree = node.baseTree {
            mark.base = .tree(tree)
        } else if let reference = node.reference {
            mark.base = .blob(reference.digest, size: reference.size)
        }
        let (file, marked) = (node.file?.descriptor, mark)
        let place = table.isLinked(node) ? try place(node) : nil
        try stored { () throws(StoreError) in
            if let place {
                try workspace.overlay.mark(place, node.kind, marked)
            } else if let file {
                try workspace.overlay.mark(file, marked, subject: "a file without a name")
            }
        }
        node.hasNumberInMark = true
    }
}
