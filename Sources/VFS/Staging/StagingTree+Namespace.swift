internal import Objects
internal import Store
internal import SystemPackage

// Listing, making, linking, removing and renaming.
extension StagingTree {
    func list(_ node: StagingNode) throws(VFSError) -> [DirectoryItem] {
        try lock.withLock { _ throws(VFSError) in try listing(of: node) }
    }

    /// The union's names, with the lock held.
    func listing(of node: StagingNode) throws(VFSError) -> [DirectoryItem] {
        guard node.isDirectory else { throw VFSError(.notDirectory) }
        guard node === root || table.isLinked(node) else { return [] }
        var items: [DirectoryItem] = []
        var decided: Set<FileName> = []
        if node.isUpper {
            let place = try place(node)
            for found in try called({ () throws(Errno) in try Syscall.entries(at: place.fd, place.path) }) {
                if node.baseTree != nil { decided.insert(found.name) }
                // A whiteout is a character device, and so may be a device.
                if found.kind == .characterDevice, try isWhiteout(place, found.name) { continue }
                items.append(DirectoryItem(name: found.name, kind: found.kind, inode: nil))
            }
        }
        if let tree = node.baseTree {
            let entries = try stored { () throws(StoreError) in try store.trees.entries(in: tree) }
            for entry in entries where !decided.contains(entry.name) {
                let number = try baseNumber(entry.name, in: node)
                items.append(DirectoryItem(name: entry.name, kind: entry.kind, inode: number))
            }
        }
        return items
    }

    private func isWhiteout(_ parent: Place, _ name: FileName) throws(VFSError) -> Bool {
        let place = try stored { () throws(StoreError) in try parent.child(name) }
        return try probe(place)?.isWhiteout ?? true
    }

    // MARK: Making

    func create(
        in parent: StagingNode, _ name: FileName, _ new: NewNode, by caller: Caller
    ) throws(VFSError) -> Node {
        try changing(parent) { links throws(VFSError) in
            guard try self.child(parent, name, &links) == nil else { throw .exists }
            let place = try place(parent, name)
            let (kind, mode) = try make(place, new, in: parent, by: caller)
            let upper = try finishing(place, name, in: parent, isDirectory: kind == .directory) {
                () throws(VFSError) in
                try give(place, kind, to: caller, mode: mode, in: parent)
                if let mark = markOfNew(kind, in: parent) {
                    try stored { () throws(StoreError) in try workspace.overlay.mark(place, kind, mark) }
                }
                guard let upper = try probe(place) else { throw VFSError(.ioError) }
                return upper
            }
            if kind == .directory { parent.countDirectory(1) }
            let node = self.table.child(parent, name) { id in
                StagingNode(
                    id: id, upper: upper, kind: kind, inode: number(of: upper, name, in: parent), in: self)
            }
            (node as? StagingNode)?.isPristine = kind == .directory
            return node
        }
    }

    /// Makes a file and opens it for writing in one step.
    func createOpen(
        in parent: StagingNode, _ name: FileName, mode: UInt16, by caller: Caller
    ) throws(VFSError) -> (StagingNode, StagingHandle) {
        try changing(parent) { links throws(VFSError) in
            guard try self.child(parent, name, &links) == nil else { throw .exists }
            let place = try place(parent, name)
            let effective = try effectiveMode(mode, in: parent, by: caller)
            let descriptor = try stored { () throws(StoreError) in
                try workspace.overlay.createFile(place, mode: effective)
            }
            let (upper, known) = try finishing(place, name, in: parent, isDirectory: false) {
                () throws(VFSError) -> (UpperEntry, BackingFile?) in
                try give(descriptor, to: caller, mode: effective, in: parent)
                let mark = markOfNew(.file, in: parent)
                if let mark {
                    try stored { () throws(StoreError) in
                        try workspace.overlay.mark(descriptor, mark, subject: place.display)
                    }
                }
                let upper = try called { () throws(Errno) in
                    try UpperEntry(descriptor, mark: mark)
                }
                return (upper, try backing(descriptor, for: caller))
            }
            let node = self.table.child(parent, name) { id in
                StagingNode(
                    id: id, upper: upper, kind: .file, inode: number(of: upper, name, in: parent), in: self)
            }
            guard let node = node as? StagingNode else { throw VFSError(.ioError) }
            if let known { keep(known, of: node, for: caller) }
            let file = StagedFile(descriptor, isWritable: true, isBlob: false, backing: known)
            return (node, handle(node, file, OpenMode(reads: true, writes: true, truncates: false)))
        }
    }

    /// Does the rest of making something, which lies at `place` already, and takes it away again where that fails:
    /// an error says that nothing was made.
    private func finishing<Result>(
        _ place: Place, _ name: FileName, in parent: StagingNode, isDirectory: Bool,
        _ body: () throws(VFSError) -> Result
    ) throws(VFSError) -> Result {
        do throws(VFSError) { return try body() } catch {
            let leavesWhiteout = try baseEntry(name, in: parent) != nil
            try stored { () throws(StoreError) in
                if isDirectory {
                    try workspace.overlay.removeDirectory(place, leavesWhiteout: leavesWhiteout)
                } else {
                    try workspace.overlay.remove(place, leavesWhiteout: leavesWhiteout)
                }
            }
            throw error
        }
    }

    /// Makes a file without a name (`O_TMPFILE`), which ``link(_:in:as:)`` may give one.
    func createNameless(
        in parent: StagingNode, mode: UInt16, by caller: Caller
    ) throws(VFSError) -> (StagingNode, StagingHandle) {
        try changing(parent) { _ throws(VFSError) in
            let place = try place(parent)
            let effective = try effectiveMode(mode, in: parent, by: caller)
            let descriptor = try stored { () throws(StoreError) in
                try workspace.overlay.createNameless(place, mode: effective)
            }
            try give(descriptor, to: caller, mode: effective, in: parent)
            // Its number is in its mark when it gets a name.
            var mark = markOfNew(.file, in: parent) ?? UpperMark()
            mark.inode = nil
            if !mark.flags.isEmpty {
                try stored { () throws(StoreError) in
                    try workspace.overlay.mark(descriptor, mark, subject: "a file without a name")
                }
            }
            let upper = try called { () throws(Errno) in try UpperEntry(descriptor, mark: mark) }
            let file = StagedFile(
                descriptor, isWritable: true, isBlob: false, backing: try backing(descriptor, for: caller),
                hasName: false)
            let node = self.table.addNameless { id in
                StagingNode(id: id, upper: upper, kind: .file, inode: InodeNumber.random(), in: self)
            }
            guard let node = node as? StagingNode else { throw VFSError(.ioError) }
            let handle = handle(node, file, OpenMode(reads: true, writes: true, truncates: false))
            keepUnlinked(node)
            return (node, handle)
        }
    }

    private func make(
        _ place: Place, _ new: NewNode, in parent: StagingNode, by caller: Caller
    ) throws(VFSError) -> (kind: EntryKind, mode: UInt16) {
        let kind: EntryKind
        var mode: UInt16 = 0o777
        var device: UInt64 = 0
        var target: [UInt8] = []
        switch new {
        case .directory(let wanted):
            (kind, mode) = (.directory, try effectiveMode(wanted, in: parent, by: caller))
        case .symlink(let wanted): (kind, target) = (.symlink, wanted)
        case .file(let wanted), .special(.file, let wanted, _):
            mode = try effectiveMode(wanted, in: parent, by: caller)
            try stored { () throws(StoreError) in _ = try workspace.overlay.createFile(place, mode: mode) }
            return (.file, mode)
        case .special(let wanted, let wantedMode, let number):
            (kind, mode, device) = (wanted, try effectiveMode(wantedMode, in: parent, by: caller), number)
        }
        try stored { () throws(StoreError) in
            try workspace.overlay.createSpecial(place, kind, mode: mode, device: device, target: target)
        }
        return (kind, mode)
    }

    /// The mode under the caller's umask, which a directory's default access list replaces. See: `man 5 acl`.
    private func effectiveMode(
        _ mode: UInt16, in parent: StagingNode, by caller: Caller
    ) throws(VFSError) -> UInt16 {
        if caller.umask == 0 { return mode }
        if parent.hasDefaultACL == nil {
            let place = try place(parent)
            parent.hasDefaultACL = try called { () throws(Errno) in
                try Syscall.attribute(at: place.fd, place.path, StagingTree.defaultACL) != nil
            }
        }
        return parent.hasDefaultACL == true ? mode : mode & ~caller.umask
    }

    private static let defaultACL = RawPath("system.posix_acl_default")

    /// The group a new file is to have; nil where the directory's set-group-id bit has decided.
    private func newGroup(_ caller: Caller, in parent: StagingNode) throws(VFSError) -> UInt32? {
        let place = try place(parent)
        let mode = try called { () throws(Errno) in try Syscall.status(place).mode }
        return mode & 0o2000 != 0 ? nil : caller.gid
    }

    private func isOwn(_ caller: Caller) -> Bool {
        caller.uid == Syscall.effectiveUser && caller.gid == Syscall.effectiveGroup
    }

    private func give(
        _ descriptor: Descriptor, to caller: Caller, mode: UInt16, in parent: StagingNode
    ) throws(VFSError) {
        if isOwn(caller) || !workspace.overlay.isPrivileged { return }
        let group = try newGroup(caller, in: parent)
        try called { () throws(Errno) in
            try Syscall.changeOwner(descriptor.fd, uid: caller.uid, gid: group)
            // Which took the set-id bits away.
            if mode & 0o6000 != 0 { try Syscall.changeMode(descriptor.fd, UInt32(mode)) }
        }
    }

    private func give(
        _ place: Place, _ kind: EntryKind, to caller: Caller, mode: UInt16, in parent: StagingNode
    ) throws(VFSError) {
        if isOwn(caller) || !workspace.overlay.isPrivileged { return }
        let group = try newGroup(caller, in: parent)
        try called { () throws(Errno) in
            try Syscall.changeOwner(at: place.fd, place.path, uid: caller.uid, gid: group)
            if kind != .symlink, kind != .directory, mode & 0o6000 != 0 {
                try Syscall.changeMode(at: place.fd, place.path, UInt32(mode))
            }
        }
    }

    func link(_ node: StagingNode, in parent: StagingNode, as name: FileName) throws(VFSError) {
        try changing(parent) { links throws(VFSError) in
            guard try self.child(parent, name, &links) == nil else { throw .exists }
            if !node.flags.isDisjoint(with: .binding) { throw .notPermitted }
            // With a second name it could not be told apart from the file that takes its place when it is written to.
            if node.file?.isFixed == true { throw try detached(node, &links) }
            let target = try place(parent, name)
            if self.table.isLinked(node) {
                try materialize(node)
                defer { noteChange(of: node) }
                try keepNumber(node)
                let source = try place(node)
                try stored { () throws(StoreError) in
                    try workspace.overlay.link(to: target) { directory, path throws(Errno) in
                        try Syscall.link(at: source.fd, source.path, to: directory, path)
                    }
                }
            } else {
                guard let file = node.file, !file.isBlob else { throw node.isSuperseded ? .stale : .notFound }
                let open = try descriptor(of: node, file)
                try keepNumber(node)
                try stored { () throws(StoreError) in
                    try workspace.overlay.link(to: target) { directory, path throws(Errno) in
                        try Syscall.link(open.fd, to: directory, path)
                    }
                }
            }
            self.table.addLink(node, parent, name)
            node.isSuperseded = false
            discardUnlinked(node)
            if let backing = node.backing { links.byBacking[backing] = node }
        }
    }

    // MARK: Removing

    /// - Parameter heedsFlags: false for what Firn itself takes back.
    func remove(
        _ name: FileName, in parent: StagingNode, isDirectory: Bool, heedsFlags: Bool = true
    ) throws(VFSError) {
        try changing(parent, heedsFlags: heedsFlags) { links throws(VFSError) in
            guard let node = try self.child(parent, name, &links) else { throw .notFound }
            if heedsFlags { try parent.requireRemovable(node) }
            guard node.isDirectory == isDirectory else {
                throw VFSError(isDirectory ? .notDirectory : .isDirectory)
            }
            if isDirectory, try !listing(of: node).isEmpty { throw VFSError(.directoryNotEmpty) }
            let isInBase = try baseEntry(name, in: parent) != nil
            node.lastAttributes = try currentAttributes(of: node)
            try keepNumberOfLinked(node)
            try keepDescriptor(of: node)
            let place = try place(parent, name)
            try losingName(node) { () throws(StoreError) in
                if !node.isUpper {
                    try workspace.overlay.addWhiteout(place)
                } else if isDirectory {
                    try workspace.overlay.removeDirectory(place, leavesWhiteout: isInBase)
                } else {
                    try workspace.overlay.remove(place, leavesWhiteout: isInBase)
                }
            }
            forgetBacking(ofUnlinked: node)
            if isDirectory { parent.countDirectory(-1) }
            parent.isPristine = false
            self.table.removeLink(parent, name)
            forgetIfGone(node, &links)
        }
    }

    /// Runs what takes a name from `node`, if there is one, which is kept for the next daemon then. Where that fails it
    /// still has its name and needs no other.
    private func losingName(
        _ node: StagingNode?, _ body: () throws(StoreError) -> Void
    ) throws(VFSError) {
        if let node { keepUnlinked(node) }
        do throws(StoreError) { try body() } catch {
            if let node { discardUnlinked(node) }
            throw VFSError(error)
        }
    }

    /// To be called when `node` has lost a name. One that names unknown to the table may still lead to is kept in
    /// mind, since its open handles and those names must meet in one node.
    private func forgetIfGone(_ node: StagingNode, _ links: inout Links) {
        guard let backing = node.backing, !table.isLinked(node), (node.lastAttributes?.linkCount ?? 0) <= 1
        else {
            return
        }
        links.byBacking[backing] = nil
    }

    // MARK: Renaming

    func rename(
        _ name: FileName, in parent: StagingNode, to newName: FileName, in newParent: StagingNode,
        _ mode: RenameMode, request: UInt64
    ) throws(VFSError) {
        try changing(parent) { links throws(VFSError) in
            guard let node = try self.child(parent, name, &links) else { throw .notFound }
            let replaced = try self.child(newParent, newName, &links)
            if replaced != nil, mode == .noReplace || mode == .leavingDevice(replaces: false) {
                throw .exists
            }
            // Two names of one file: POSIX wants nothing done.
            if replaced === node { return }
            if newParent.flags.contains(.immutable) { throw .notPermitted }
            try parent.requireRemovable(node)
            if let replaced { try newParent.requireRemovable(replaced) }
            try materialize(newParent)
            defer { noteChange(of: newParent) }
            newParent.noteChangedNames()
            try materialize(node)
            try keepNumber(node)
            let source = try place(parent, name)
            let target = try place(newParent, newName)
            if mode == .exchange {
                guard let replaced else { throw .notFound }
                try materialize(replaced)
                try keepNumber(replaced)
                self.table.willMove(parent, name, to: newParent, newName, request: request)
                try stored { () throws(StoreError) in try workspace.overlay.exchange(source, target) }
                let change = (node.isDirectory ? 1 : 0) - (replaced.isDirectory ? 1 : 0)
                parent.countDirectory(-change)
                newParent.countDirectory(change)
                self.table.exchange(parent, name, with: newParent, newName, request: request)
                return
            }
            if let replaced {
                try requireReplaceable(replaced, by: node)
                replaced.lastAttributes = try currentAttributes(of: replaced)
                try keepNumberOfLinked(replaced)
                try keepDescriptor(of: replaced)
            }
            let replacedFile = replaced.flatMap { mayBeOpenedYet($0, at: target) }
            self.table.willMove(parent, name, to: newParent, newName, request: request)
            let leaves: Overlay.Remainder
            if case .leavingDevice = mode {
                leaves = .device
            } else {
                leaves = try baseEntry(name, in: parent) != nil ? .whiteout : .nothing
            }
            try losingName(replaced) { () throws(StoreError) in
                try workspace.overlay.move(source, to: target, isDirectory: node.isDirectory, leaves)
            }
            if node.isDirectory {
                parent.countDirectory(-1)
                newParent.countDirectory(replaced == nil ? 1 : 0)
            }
            parent.isPristine = false
            self.table.move(parent, name, to: newParent, newName, request: request)
            if let replaced {
                if let replacedFile { keep(replacedFile, ofReplaced: replaced) }
                forgetBacking(ofUnlinked: replaced)
                forgetIfGone(replaced, &links)
            }
        }
    }

    private func requireReplaceable(_ replaced: StagingNode, by node: StagingNode) throws(VFSError) {
        if node.isDirectory {
            guard replaced.isDirectory else { throw VFSError(.notDirectory) }
            guard try listing(of: replaced).isEmpty else { throw VFSError(.directoryNotEmpty) }
        } else if replaced.isDirectory {
            throw VFSError(.isDirectory)
        }
    }

    /// Runs a change of the directory `parent`, which is in `upper/` then.
    private func changing<Result>(
        _ parent: StagingNode, heedsFlags: Bool = true, _ body: (inout Links) throws(VFSError) -> Result
    ) throws(VFSError) -> Result {
        try workspace.gate.pass { () throws(VFSError) in
            try requireUsable()
            return try lock.withLock { links throws(VFSError) in
                guard parent.isDirectory else { throw VFSError(.notDirectory) }
                guard parent === root || table.isLinked(parent) else { throw .notFound }
                if heedsFlags, parent.flags.contains(.immutable) { throw .notPermitted }
                try materialize(parent)
                defer { noteChange(of: parent) }
                parent.noteChangedNames()
                return try body(&links)
            }
        }
    }
}
