internal import Glibc
public import Objects
internal import SystemPackage

/// A writable overlay over a base version: `workspaces/NAME/`.
///
///     upper/   what differs from the base, as plain files
///     next/    the upper/ of after the commit that is under way; exchanged with upper/ by the swap
///
/// The verbs that change it are to be called with ``gate`` passed or closed, as each says; see
/// `docs/ARCHITECTURE.md`, "Locks".
public final class Workspace: Sendable {
    public let name: String
    public let tracker = WriteTracker()
    /// Passed by every change of `upper/`, closed by the seal and by whatever replaces `upper/`.
    public let gate = Gate()
    public let overlay: Overlay

    /// Files that programs have open and that have lost their names.
    public let unlinked: UnlinkedFiles

    let directory: Descriptor
    let digests = DigestCache()
    let hashingTurn = HashingTurn()
    private let state: Lock<State>

    private struct State: Sendable {
        var upper: Descriptor
        var mark: WorkspaceMark
        /// What has been swapped in on disk and is not shown yet: see ``showSwapped()``.
        var swapped: (upper: Descriptor, mark: WorkspaceMark)?
        /// Set when a commit was stored and the swap after it failed: nothing may change until a restart has
        /// finished it, since staged files may be sealed ones by now. Also when it is not known which of the
        /// two is `upper/`, or whether the commit was stored.
        var isStuck = false
    }

    static let upperName = RawPath("upper")
    static let nextName = RawPath("next")

    /// Opens the workspace in `directory`, makes its `upper/` if there is none, and finishes what a crash
    /// interrupted.
    ///
    /// - Parameters:
    ///   - emptyTree: the empty directory's node, which the catalog holds.
    ///   - sealing: the version that sealed a given generation of this workspace, if there is one.
    ///   - isKnown: whether a version refers to a blob.
    init(
        _ name: String, in directory: Descriptor, overlay: Overlay, emptyTree: Digest,
        sealing: (UInt64) throws(StoreError) -> Version?, isKnown: (Digest) throws(StoreError) -> Bool
    ) throws(StoreError) {
        self.name = name
        self.directory = directory
        unlinked = UnlinkedFiles(in: directory)
        self.overlay = overlay
        let hasUpper = try system("look at", name) { () throws(Errno) in
            try Syscall.statIfPresent(at: directory.fd, Workspace.upperName) != nil
        }
        if !hasUpper {
            try Workspace.makeUpper(
                Workspace.upperName, in: directory, overlay, root: Workspace.firstRoot(emptyTree),
                WorkspaceMark(generation: 1, version: nil))
        }
        if !overlay.isPrivileged { try Workspace.letOwnerIn(directory) }
        var opened = try Workspace.openUpper(directory)
        if let version = try sealing(opened.mark.generation) {
            // The commit was stored and the swap did not happen, or not durably.
            try Workspace.finishSwap(after: version, opened.mark, in: directory, overlay)
            opened = try Workspace.openUpper(directory)
        } else if try Workspace.wasSealing(opened.mark, in: directory) {
            try Workspace.withdrawLinks(below: opened.upper, from: overlay.blobs, isKnown: isKnown)
        }
        try RemoveTree.remove(Workspace.nextName, at: directory)
        // An owner that was killed may have made or exchanged `upper/` without this.
        try system("sync", name) { () throws(Errno) in try Syscall.sync(directory.fd) }
        state = Lock(State(upper: opened.upper, mark: opened.mark))
    }

    /// Opens the workspace as it is, to look at it while its owner may be changing it.
    init(reading name: String, in directory: Descriptor, overlay: Overlay) throws(StoreError) {
        self.name = name
        self.directory = directory
        unlinked = UnlinkedFiles(in: directory)
        self.overlay = overlay
        let opened = try Workspace.openUpper(directory)
        state = Lock(State(upper: opened.upper, mark: opened.mark))
    }

    /// The root of a workspace that lies over no version.
    static func firstRoot(_ emptyTree: Digest) -> TreeEntry {
        TreeEntry(
            name: .root, kind: .directory, mode: 0o755, uid: geteuid(), gid: getegid(), size: 0,
            mtime: Timestamp.currentForNewDirectory, content: .tree(emptyTree, files: 0))
    }

    /// An ordinary user may have closed `staging/` even to the own daemon, which could neither start then nor be asked to
    /// open it again.
    private static func letOwnerIn(_ directory: Descriptor) throws(StoreError) {
        try system("look at", "upper/") { () throws(Errno) in
            let mode = try Syscall.stat(at: directory.fd, upperName).st_mode & 0o7777
            guard mode & 0o500 != 0o500 else { return }
            try Syscall.changeMode(at: directory.fd, upperName, mode | 0o500)
        }
    }

    private static func openUpper(
        _ directory: Descriptor
    ) throws(StoreError) -> (upper: Descriptor, mark: WorkspaceMark) {
        let (upper, bytes) = try system("open", "upper/") { () throws(Errno) in
            let upper = try Syscall.open(at: directory.fd, upperName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return (upper, try Syscall.attribute(upper.fd, WorkspaceMark.name))
        }
        guard let bytes else {
            throw StoreError(
                .damaged, "the workspace's mark (extended attribute user.firn.workspace) is missing",
                subject: "upper/", hint: "was the store copied without extended attributes (use rsync -X)?")
        }
        do throws(ObjectError) { return (upper, try WorkspaceMark(decoding: bytes)) } catch {
            throw StoreError(error)
        }
    }

    /// Makes an empty directory `name` laid over `root`, to be or to replace `upper/`. It is never there without its
    /// mark.
    static func makeUpper(
        _ name: RawPath, in directory: Descriptor, _ overlay: Overlay, root: TreeEntry, _ mark: WorkspaceMark,
        inode: UInt64? = nil, syncs: Bool = true
    ) throws(StoreError) {
        try RemoveTree.remove(name, at: directory)
        let temporary = overlay.temporary
        try overlay.prepared(for: Place(directory: directory, path: name)) { made throws(StoreError) in
            try overlay.make(root, inode: inode, at: temporary.place(made))
            try system("mark", name.display) { () throws(Errno) in
                _ = try Workspace.mark(made, at: temporary.fd, mark)
            }
        }
        guard syncs else { return }
        try system("sync", name.display) { () throws(Errno) in
            try Syscall.syncDirectory(at: directory.fd, name)
            try Syscall.sync(directory.fd)
        }
    }

    /// Makes what ``makeUpper(_:in:_:root:_:inode:syncs:)`` has made, and nobody has put anything into, lie over
    /// another root. Its mark as the workspace's comes last: with that it is complete.
    static func relayUpper(
        _ name: RawPath, in directory: Descriptor, _ overlay: Overlay, root: TreeEntry, _ mark: WorkspaceMark
    ) throws(StoreError) {
        try overlay.dress(root, inode: nil, at: Place(directory: directory, path: name))
        try system("mark", name.display) { () throws(Errno) in
            _ = try Workspace.mark(name, at: directory.fd, mark)
        }
    }

    /// Puts the workspace's mark on a directory that is to be `upper/`, and leaves everything else as it is.
    static func mark(
        _ name: RawPath, at directory: Int32, _ mark: WorkspaceMark
    ) throws(Errno) -> Descriptor {
        let before = try Syscall.stat(at: directory, name)
        let isWritable = before.st_mode & 0o700 == 0o700
        // An ordinary user needs write permission to set attributes, and read permission to open.
        if !isWritable { try Syscall.changeMode(at: directory, name, 0o700) }
        let made = try Syscall.open(at: directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        try Syscall.setAttribute(made.fd, WorkspaceMark.name, mark.encoded)
        if !isWritable { try Syscall.changeMode(made.fd, before.st_mode & 0o7777) }
        try Syscall.changeTimes(made.fd, access: nil, modification: .at(Timestamp(before.st_mtim)))
        return made
    }

    private static func finishSwap(
        after version: Version, _ mark: WorkspaceMark, in directory: Descriptor, _ overlay: Overlay
    ) throws(StoreError) {
        let next = WorkspaceMark(generation: mark.generation + 1, version: version.digest)
        let found = try system("look at", "next/") { () throws(Errno) -> [UInt8]? in
            guard try Syscall.statIfPresent(at: directory.fd, nextName) != nil else { return nil }
            let next = try Syscall.open(at: directory.fd, nextName, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            return try Syscall.attribute(next.fd, WorkspaceMark.name)
        }
        if found != next.encoded {
            try makeUpper(nextName, in: directory, overlay, root: version.manifest.root, next)
        }
        try system("swap", "upper/") { () throws(Errno) in
            try Syscall.rename(at: directory.fd, nextName, to: directory.fd, upperName, .exchange)
            try Syscall.sync(directory.fd)
        }
    }

    // MARK: What it is

    public var generation: UInt64 { state.withLock { $0.mark.generation } }

    /// The version a commit will name as its parent.
    public var baseVersion: Digest? { state.withLock { $0.mark.version } }

    var mark: WorkspaceMark { state.withLock { $0.mark } }

    /// `upper/` itself. Another after a swap, so not to be kept across the gate.
    public var upper: Descriptor { state.withLock { $0.upper } }

    /// The place of a path in `upper/`.
    public func place(_ names: some Sequence<FileName>) throws(StoreError) -> Place {
        try Place(upper, names)
    }

    /// - Throws: ``StoreError`` `.damaged` after a swap that failed.
    public func requireUsable() throws(StoreError) {
        guard isUsable else {
            throw StoreError(
                .damaged,
                "staging cannot be changed: a swap failed, or it is not known whether a commit was stored",
                subject: name, hint: "unmount and mount again: the next start finishes it")
        }
    }

    var isUsable: Bool { state.withLock { !$0.isStuck } }

    /// Nobody may change staging any more until the next start.
    func stop() { state.withLock { $0.isStuck = true } }

    /// Runs what must follow a swap before anyone may change staging again; if it fails, nobody may.
    func settle(_ body: () throws(StoreError) -> Void) throws(StoreError) {
        do throws(StoreError) {
            try body()
            showSwapped()
        } catch {
            stop()
            throw error
        }
    }

    // MARK: Swapping

    /// From now on ``upper`` and ``mark`` are those of the last swap; does nothing where they are already.
    ///
    /// Reads go on during a swap. What remembers places in `upper/`, as the mount does, calls this while nobody can
    /// ask it for one, and takes the new `upper/` over before anybody can: until then the old one, which is whole
    /// where it lies now, is read.
    public func showSwapped() {
        state.withLock {
            guard let swapped = $0.swapped else { return }
            $0.upper = swapped.upper
            $0.mark = swapped.mark
            $0.swapped = nil
        }
    }

    /// Puts `next/`, which must be complete and durable, in the place of `upper/` and makes the old one rubbish,
    /// which is read until ``showSwapped()``. The gate must be closed.
    ///
    /// - Parameter syncs: whether it is to be durable at once. Not after a commit, which the next start finishes: then
    ///   ``syncSwap()`` should follow.
    /// - Returns: the name of the old one in the temporary directory, to be discarded with the gate open.
    func swapToNext(_ mark: WorkspaceMark, syncs: Bool = true) throws(StoreError) -> RawPath {
        // What was sealed must not stay staged; otherwise it is safe to go on as before until the exchange.
        var mustFinish = mark != self.mark
        do throws(StoreError) {
            let rubbish = overlay.temporary.name()
            try system("swap", "upper/") { () throws(Errno) in
                try Syscall.rename(
                    at: directory.fd, Workspace.nextName, to: directory.fd, Workspace.upperName, .exchange)
                mustFinish = true
                try Syscall.rename(
                    at: directory.fd, Workspace.nextName, to: overlay.temporary.fd, rubbish)
                if syncs { try Syscall.sync(directory.fd) }
            }
            let opened = try Workspace.openUpper(directory)
            precondition(opened.mark == mark, "next/ was made with another mark")
            state.withLock { $0.swapped = opened }
            return rubbish
        } catch {
            if mustFinish { stop() }
            throw error
        }
    }

    /// Makes the last swap durable. Where that cannot be had nobody may change staging any more: the next start finishes
    /// one swap, and could not finish another one after it.
    func syncSwap(_ lostWrites: LostWrites) {
        do throws(Errno) {
            try lostWrites.watching { () throws(Errno) in try Syscall.sync(directory.fd) }
        } catch { stop() }
    }
}

extension Timestamp {
    /// The kernel's clock, for a directory that has no history.
    static var currentForNewDirectory: Timestamp {
        var now = Glibc.timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(now)
    }
}
