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
    // Sendable because everything else is constant after `start`, before which nobody else knows of it.
    let fileSystem: FileSystem
    let workers: WorkerPool
    let logger: Logger
    public let options: MountOptions
    private let session: OpaquePointer
    private let channel: OpaquePointer
    /// The connection, `/dev/fuse`.
    public let descriptor: Int32
    private var isResumed = false
    /// What the kernel is to forget of what another daemon told it.
    private var staleAtStart: [Stale] = []
    private var threads: [pthread_t] = []

    /// Threads for slow requests. More than cores, since they mostly wait for the disk.
    private static let workerCount = 8

    /// Mounts the file system, and finds out what the kernel can do. Requests are answered after ``start()``.
    ///
    /// - Parameter record: where what the kernel learns is noted, if somebody goes on with it.
    /// - Throws: ``StoreError`` when the system refuses, libfuse has said why on stderr then, or when it cannot do what
    ///   the options require. Nothing is mounted then.
    public convenience init(
        _ fileSystem: FileSystem, _ options: MountOptions, record: MountRecord? = nil, logger: Logger
    ) throws(StoreError) {
        try self.init(fileSystem, options, logger) { session throws(StoreError) in
            errno = 0
            guard fuse_session_mount(session, options.mountpoint) == 0 else {
                throw Session.refusal(options.mountpoint, errno)
            }
            return fuse_session_fd(session)
        }
        if let record { firn_channel_keep_init(channel, record.firstRequest) }
        do throws(StoreError) { try begin() } catch {
            close()
            throw error
        }
    }

    /// Goes on with a mount whose daemon has died: what the kernel knows is in `record`, and requests without an
    /// answer come again after ``start()``.
    ///
    /// - Parameter descriptor: the connection, `/dev/fuse`.
    /// - Throws: ``StoreError`` when that cannot be; the mount is of no use then.
    public convenience init(
        resuming descriptor: Int32, _ fileSystem: FileSystem, _ options: MountOptions, record: MountRecord,
        logger: Logger
    ) throws(StoreError) {
        try self.init(fileSystem, options, logger) { _ throws(StoreError) in
            // libfuse closes the one it has.
            let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else {
                throw StoreError(
                    Errno(rawValue: errno), doing: "take over the connection", subject: options.mountpoint)
            }
            return own
        }
        isResumed = true
        guard firn_channel_resume(channel, record.firstRequest) == 0 else {
            throw StoreError(
                Errno(rawValue: errno), doing: "go on with the mount", subject: options.mountpoint)
        }
        do throws(VFSError) {
            let resumed = try fileSystem.resume()
            staleAtStart = resumed.stale
            if let first = resumed.failures.first {
                logger.error(
                    "some of what the kernel knows could not be had again",
                    metadata: ["count": "\(resumed.failures.count)", "reason": "\(first)"])
            }
        } catch {
            throw StoreError(
                .system(error.code), "cannot go on with the mount: \(error)", subject: options.mountpoint)
        }
    }

    private init(
        _ fileSystem: FileSystem, _ options: MountOptions, _ logger: Logger,
        connect: (OpaquePointer) throws(StoreError) -> Int32
    ) throws(StoreError) {
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
        descriptor = try connect(session)
        // The kernel lets only root register files.
        if options.passesThrough, geteuid() == 0 {
            firn_channel_want_passthrough(channel)
            let kernel = KernelChannel(pointer: channel)
            fileSystem.usePassthrough(
                BackingRegistration(
                    open: { kernel.register($0, keepsSetIDs: $1) }, close: { kernel.release($0) }))
        }
        guard firn_channel_attach(channel, session, descriptor) == 0 else {
            let code = errno
            fuse_session_unmount(session)
            throw StoreError(
                Errno(rawValue: code), doing: "take over the connection", subject: options.mountpoint)
        }
        owner.session = self
    }

    private static func refusal(_ mountpoint: String, _ code: Int32) -> StoreError {
        let error = Errno(rawValue: code == 0 ? EPERM : code)
        guard error == .permissionDenied || error == .notPermitted else {
            return StoreError(error, doing: "mount", subject: mountpoint)
        }
        return StoreError(
            .system(error), "cannot mount: \(error)", subject: mountpoint,
            hint: "an ordinary user needs fusermount3 (package fuse3) and access to /dev/fuse, and for "
                + "--allow-other the line user_allow_other in /etc/fuse.conf")
    }

    private func begin() throws(StoreError) {
        guard firn_channel_begin(channel) == 0 else {
            throw StoreError(
                Errno(rawValue: errno), doing: "begin to talk to the kernel", subject: options.mountpoint)
        }
        guard options.passesThrough else { return }
        guard let obstacle = try passthroughObstacle() else { return }
        if options.requiresPassthrough { throw obstacle.error(options.mountpoint) }
        logger.info("files are not passed through", metadata: ["reason": "\(obstacle.reason)"])
    }

    /// Registers a file of the store for a moment.
    ///
    /// - Returns: what keeps the kernel from reading and writing files without the daemon.
    private func passthroughObstacle() throws(StoreError) -> PassthroughObstacle? {
        if geteuid() != 0 { return .notRoot }
        guard hasPassthrough else { return .notOffered }
        let file = try fileSystem.store.sampleFile()
        let id = firn_backing_open(channel, file.fd, 1)
        guard id > 0 else { return PassthroughObstacle(Errno(rawValue: -id)) }
        firn_backing_close(channel, id)
        return nil
    }

    /// The connection, for whom it is only a means to register files.
    private struct KernelChannel: @unchecked Sendable {
        // Sendable because the calls below are single system calls; the channel outlives the file system's use.
        let pointer: OpaquePointer

        func register(_ descriptor: Descriptor, keepsSetIDs: Bool) -> Int32? {
            guard firn_channel_has_passthrough(pointer) != 0 else { return nil }
            let id = firn_backing_open(pointer, descriptor.fd, keepsSetIDs ? 1 : 0)
            return id > 0 ? id : nil
        }

        func release(_ id: Int32) { firn_backing_close(pointer, id) }
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

    /// Has the supervisor tell the kernel which names to forget, by a socket that it serves with
    /// ``serveNotifications(_:connection:)``. Before ``start()``.
    public func notifyThrough(_ socket: Int32) { firn_channel_notify_through(channel, socket) }

    /// Tells the kernel of a mount what its daemon, at the other end of `socket`, says; returns at its end. A daemon
    /// does not do it itself, since the kernel may wait for its answers meanwhile and it could not even be killed.
    public static func serveNotifications(_ socket: Int32, connection: Int32) {
        firn_serve_notifications(socket, connection)
    }

    /// Begins to answer requests.
    public func start() {
        // Before anything is received: a request that this daemon has begun would come a second time as one that the
        // last daemon may have carried out.
        // ENODEV: it was unmounted meanwhile, which the threads see as well.
        if isResumed, firn_channel_resend(channel) != 0, errno != ENODEV {
            logger.error("the kernel does not send its requests again", metadata: ["errno": "\(errno)"])
        }
        threads = (0..<options.threadCount).map { _ in
            startThread { [self] in
                firn_channel_loop(channel)
                // Whatever ended one loop ends them all.
                firn_channel_stop(channel)
            }
        }
        forget(staleAtStart)
        staleAtStart = []
        if isResumed { fileSystem.resumed() }
    }

    /// Returns when the mount is gone, or after ``stop()``, and all requests are answered.
    public func wait() {
        firn_channel_join(channel, threads, threads.count)
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

    /// Unmounts if it still is mounted and this process has mounted it, and lets go of the connection. After ``wait()``.
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

    /// The same where something else than a write has changed times.
    func refreshAttributes(ofChanged node: NodeID) {
        _ = fuse_lowlevel_notify_inval_inode(session, node.value, -1, 0)
    }

    /// Makes the kernel read a directory anew. It waits for no request there, so it may be called from one; what the
    /// answer to that adds to an older part is not kept then.
    func forgetListing(_ directory: NodeID) {
        _ = fuse_lowlevel_notify_inval_inode(session, directory.value, 0, 0)
    }

    /// Makes the kernel ask again. Not to be called from a request, nor with a lock held: the kernel may hold the
    /// directory while it waits for an answer.
    public func forget(_ stale: [Stale]) {
        for item in stale {
            // ENOENT: it did not know it.
            switch item {
            case .name(let parent, let name):
                // libfuse sends the NUL along, so there must be one.
                _ = RawPath(name).withCString {
                    fuse_lowlevel_notify_inval_entry(session, parent.value, $0, name.bytes.count)
                }
            case .attributes(let node):
                _ = fuse_lowlevel_notify_inval_inode(session, node.value, -1, 0)
            case .listing(let directory): forgetListing(directory)
            }
        }
    }
}

extension MountRecord {
    /// Where the shim keeps the request that a connection begins with.
    fileprivate var firstRequest: UnsafeMutablePointer<firn_init> {
        opening.bindMemory(to: firn_init.self).baseAddress!
    }
}
