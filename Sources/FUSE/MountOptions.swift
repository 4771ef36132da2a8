/// How a file system is to be mounted.
public struct MountOptions: Hashable, Sendable {
    public let mountpoint: String
    /// What `df` and /proc/mounts show as the device: the store's path.
    public let source: String
    /// Whether other users than the one who mounts may look in. `fusermount3` wants `user_allow_other` in
    /// /etc/fuse.conf for it, unless root mounts.
    public let allowsOther: Bool
    public let isReadOnly: Bool
    /// Whether the kernel is to read and write files without the daemon, where it can.
    public let passesThrough: Bool
    /// Whether it is not to be mounted where the kernel cannot.
    public let requiresPassthrough: Bool
    /// Threads that receive requests.
    public let threadCount: Int

    public init(
        mountpoint: String, source: String, allowsOther: Bool, isReadOnly: Bool, passesThrough: Bool,
        requiresPassthrough: Bool, threadCount: Int
    ) {
        self.mountpoint = mountpoint
        self.source = source
        self.allowsOther = allowsOther
        self.isReadOnly = isReadOnly
        self.passesThrough = passesThrough
        self.requiresPassthrough = requiresPassthrough
        self.threadCount = threadCount
    }

    /// As libfuse takes them. Commas separate options there, so those of a path are escaped.
    var arguments: [String] {
        let escaped = source.replacing("\\", with: "\\\\").replacing(",", with: "\\,")
        var options = ["fsname=\(escaped)", "subtype=firn", "default_permissions"]
        if allowsOther { options.append("allow_other") }
        if isReadOnly { options.append("ro") }
        return ["firn", "-o", options.joined(separator: ",")]
    }
}
