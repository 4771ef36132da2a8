public import Objects
public import Store

/// Whether the kernel is to read, write and map files without asking the daemon.
public enum PassthroughChoice: String, Hashable, Sendable, CaseIterable {
    /// Or there is to be no mount.
    case on
    case off
    /// Where it can.
    case auto
}

/// What the mount says of itself in `firn status`.
public struct MountStatus: Hashable, Sendable {
    public var mountpoint: String
    /// The daemon's process.
    public var pid: Int32
    /// Whether the kernel reads and writes files without asking the daemon.
    public var isPassthrough: Bool
    /// What was asked for.
    public var passthroughChoice: PassthroughChoice
    public var isReadOnly: Bool
    /// Whether another daemon goes on where this one ends, if it dies.
    public var isSupervised: Bool
    /// Inodes the kernel knows at the moment.
    public var inodes: Int
    /// Open file handles.
    public var openFiles: Int
    public var started: Timestamp

    public init(
        mountpoint: String, pid: Int32, isPassthrough: Bool, passthroughChoice: PassthroughChoice = .auto,
        isReadOnly: Bool = false, isSupervised: Bool = false, inodes: Int,
        openFiles: Int, started: Timestamp
    ) {
        self.mountpoint = mountpoint
        self.pid = pid
        self.isPassthrough = isPassthrough
        self.passthroughChoice = passthroughChoice
        self.isReadOnly = isReadOnly
        self.isSupervised = isSupervised
        self.inodes = inodes
        self.openFiles = openFiles
        self.started = started
    }
}

/// How an ``Engine`` tells the mount what it does to a store under it. Called from the thread of the request.
public struct MountHooks: Sendable {
    /// Versions, tags or pins may be others than before: `versions/` shows something else. With the version that was
    /// added, where nothing but it and its tags has changed. Gate open.
    public var versionsChanged: @Sendable (_ added: Version?) -> Void
    /// Objects that no version needs were removed. Gate open.
    public var objectsRemoved: @Sendable () -> Void
    /// Staging lies over this version now, and `upper/` is another directory. Gate closed.
    public var sealed: @Sendable (Version) throws(StoreError) -> Void
    /// Names of staging are about to be replaced, or that has ended: a daemon that goes on where this one ended between
    /// the two cannot know which. Gate open.
    public var replacing: @Sendable (Bool) -> Void
    /// These paths of staging, and what is below them, are others than before; the root path is all of it.
    /// Gate closed.
    public var replaced: @Sendable ([TreePath]) throws(StoreError) -> Void
    /// After ``sealed`` or ``replaced``, with the gate open again: what waits for the kernel belongs here. What was
    /// replaced is still to be removed. Also called where nothing was replaced, since an error came first.
    public var afterReplace: @Sendable () -> Void
    /// Begins to unmount and returns at once; throws ``StoreError`` `.busy` when the mount is in use.
    public var unmount: @Sendable () throws(StoreError) -> Void
    /// nil where there is no mount.
    public var mountStatus: @Sendable () -> MountStatus?

    public init(
        versionsChanged: @escaping @Sendable (_ added: Version?) -> Void = { _ in },
        objectsRemoved: @escaping @Sendable () -> Void = {},
        sealed: @escaping @Sendable (Version) throws(StoreError) -> Void = { _ in },
        replacing: @escaping @Sendable (Bool) -> Void = { _ in },
        replaced: @escaping @Sendable ([TreePath]) throws(StoreError) -> Void = { _ in },
        afterReplace: @escaping @Sendable () -> Void = {},
        unmount: @escaping @Sendable () throws(StoreError) -> Void = MountHooks.refuseUnmount,
        mountStatus: @escaping @Sendable () -> MountStatus? = { nil }
    ) {
        self.versionsChanged = versionsChanged
        self.objectsRemoved = objectsRemoved
        self.sealed = sealed
        self.replacing = replacing
        self.replaced = replaced
        self.afterReplace = afterReplace
        self.unmount = unmount
        self.mountStatus = mountStatus
    }

    /// For a store that is not mounted.
    public static let none = MountHooks()

    @Sendable
    public static func refuseUnmount() throws(StoreError) {
        throw StoreError(.invalidInput, "the store is not mounted", hint: "firn status shows what is")
    }
}
