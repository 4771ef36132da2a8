internal import CFuse
internal import CFuse3
internal import CLinux
internal import Glibc
public import Logging
internal import Objects
public import Store
internal import SystemPackage
public import VFS

/// A file system that is mounted: the connection to the kernel and the threads that serve it.
public final class Session: @unchecked Sendable {
    // Sendable because everything but `threads`, which `start` sets before anyone else knows of it, is constant.
    let fileSystem: FileSystem
    let workers: WorkerPool
    let logger: Logger
    public let options: MountOptions
    private let session: OpaquePointer
    private let channel: OpaquePointer
    private var threads: [pthread_t] = []

    /// Threads for slow requests. More than cores, since they mostly wait for the disk.
    private static let workerCount = 8

    /// Mounts the file system. Requests are answered after ``start()``.
    ///
    /// - Throws: ``StoreError`` when the system refuses; libfuse has said why on stderr then.
    public init(_ fileSystem: FileSystem, _ options: MountOptions, logger: Logger) throws(StoreError) {
        self.fileSystem = fileSystem
        self.options = options
        self.logger = logger
        let owner = SessionReference()
        guard let channel = firn_channel_new(Unmanaged.passRetained(owner).toOpaque()) else {
            throw StoreError(.noMemory, doing: "make a connection", subject: options.mountpoint)
        }
        self.channel = channel
        var operations = Session.operations
        let made = Session.withArguments(options.arguments) { arguments in
            fuse_session_new(
                &arguments, &operations, MemoryLayout<fuse_lowlevel_ops>.size,
                UnsafeMutableRawPointer(channel))
        }
        guard let made else {
            throw StoreError(.invalidInput, "libfuse refused the mount options", subject: options.mountpoint)
        }
        session = made
        workers = WorkerPool(threadCount: Session.workerCount)
        errno = 0
        guard fuse_session_mount(session, options.mountpoint) == 0 else {
            let code = errno
            let error = Errno(rawValue: code == 0 ? EPERM : code)
            guard error == .permissionDenied || error == .notPermitted else {
                throw StoreError(error, doing: "mount", subject: options.mountpoint)
            }
            throw StoreError(
                .system(error), "cannot mount: \(error)", subject: options.mountpoint,
                hint: "an ordinary user needs fusermount3 (package fuse3) and access to /dev/fuse, and for "
                    + "--allow-other the line user_allow_other in /etc/fuse.conf")
        }
        // The kernel lets only root register files.
        if options.passesThrough, geteuid() == 0 {
            firn_channel_want_passthrough(channel)
            let kernel = KernelChannel(pointer: channel)
            fileSystem.usePassthrough(BackingRegistration { kernel.register($0) })
        }
        guard firn_channel_attach(channel, session) == 0 else {
            let code = errno
            fuse_session_unmount(session)
            throw StoreError(
                Errno(rawValue: code), doing: "take over the connection", subject: options.mountpoint)
        }
        owner.session = self
    }

    /// The connection, for whom it is only a means to register files.
    private struct KernelChannel: @unchecked Sendable {
        // Sendable because the calls below are single system calls; the channel outlives the file system's use.
        let pointer: OpaquePointer

        func register(_ descriptor: Descriptor) -> BackingFile? {
            guard firn_channel_has_passthrough(pointer) != 0 else { return nil }
            let id = firn_backing_open(pointer, descriptor.fd)
            guard id > 0 else { return nil }
            return BackingFile(id: id) { firn_backing_close(pointer, $0) }
        }
    }

    /// What a request's userdata leads to. Weak: the session owns the channel.
    final class SessionReference {
        weak var session: Session?
    }

    private static func withArguments<Result>(
        _ arguments: [String], _ body: (inout fuse_args) -> Result
    ) -> Result {
        var pointers = arguments.map { strdup($0) }
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { buffer in
            var list = fuse_args(argc: Int32(buffer.count), argv: buffer.baseAddress, allocated: 0)
            defer { fuse_opt_free_args(&list) }
            return body(&list)
        }
    }

    /// Begins to answer requests.
    public func start() {
        threads = (0..<options.threadCount).map { _ in
            startThread { [self] in
                firn_channel_loop(channel)
                // Whatever ended one loop ends them all.
                firn_channel_stop(channel)
            }
        }
    }

    /// Returns when the mount is gone, or after ``stop()``, and all requests are answered.
    public func wait() {
        for thread in threads { pthread_join(thread, nil) }
        threads = []
        workers.stop()
    }

    /// Makes ``wait()`` return.
    public func stop() { firn_channel_stop(channel) }

    /// SIGTERM, SIGINT and SIGHUP, which must be blocked in every thread, make ``wait()`` return. A thread of its
    /// own waits for them; it lives until the process ends.
    public func stopOnTermination() {
        _ = startThread { [self] in
            let signal = firn_wait_termination()
            logger.notice("ending on a signal", metadata: ["signal": "\(signal)"])
            stop()
        }
    }

    /// Whether the kernel reads and writes files without asking.
    public var hasPassthrough: Bool { firn_channel_has_passthrough(channel) != 0 }

    /// Whether the kernel has ended the connection.
    public var hasEnded: Bool { firn_channel_ended(channel) != 0 }

    /// Unmounts if it still is mounted, and lets go of the connection. After ``wait()``.
    public func close() {
        if !hasEnded { fuse_session_unmount(session) }
        fuse_session_destroy(session)
    }

    // MARK: Telling the kernel

    /// Makes the kernel ask for a file's attributes again: what was written through a mapping of a backing file
    /// changes times it does not see. Takes no lock of the kernel's, so it may be called from a request.
    func refreshAttributes(_ node: NodeID) {
        if hasPassthrough { _ = fuse_lowlevel_notify_inval_inode(session, node.value, -1, 0) }
    }

    /// Makes the kernel look up these names again. Not to be called from a request, nor with a lock held: the
    /// kernel may hold the directory while it waits for an answer.
    public func forget(_ names: [StaleName]) {
        for name in names {
            // ENOENT: it did not know the name. libfuse sends the NUL along, so there must be one.
            _ = RawPath(name.name).withCString {
                fuse_lowlevel_notify_inval_entry(session, name.parent.value, $0, name.name.bytes.count)
            }
        }
    }
}
