import CLinux
import Control
import FUSE
import Glibc
import Logging
import Objects
import Store
import SystemPackage
import VFS

/// The process behind a mount: it owns the store, serves the kernel, and takes the tool's requests.
final class Daemon: Sendable {
    private let store: Store
    private let options: DaemonOptions
    private let logger: Logger
    private let started: Timestamp
    private let workspace: Workspace
    private let engine: Engine
    private let supervision: Supervision?
    private let mount: MountReference

    /// What hooks and control files lead to: made after them, gone before them.
    private final class MountReference: Sendable {
        struct Parts {
            var fileSystem: FileSystem?
            var session: Session?
            var engine: Engine?
            /// What the kernel is to forget as soon as the gate is open.
            var stale: [Stale] = []
        }

        let parts = Lock(Parts())

        var fileSystem: FileSystem? { parts.withLock { $0.fileSystem } }
        var session: Session? { parts.withLock { $0.session } }
        var engine: Engine? { parts.withLock { $0.engine } }

        func add(_ stale: [Stale]) { parts.withLock { $0.stale += stale } }

        func forgetStale() {
            let (session, names) = parts.withLock { parts in
                defer { parts.stale = [] }
                return (parts.session, parts.stale)
            }
            session?.forget(names)
        }
    }

    /// Mounts, serves until it is unmounted or told to end, and leaves nothing behind.
    ///
    /// - Parameters:
    ///   - supervision: what to leave for the next daemon, and what to go on with; nil without a supervisor.
    ///   - ready: called once, when the mount can be used; not called where this throws before.
    static func run(
        _ options: DaemonOptions, logger: Logger, supervision: Supervision?, ready: () -> Void
    ) throws(StoreError) {
        guard firn_block_termination() == 0 else {
            throw StoreError(Errno(rawValue: errno), doing: "block signals", subject: "")
        }
        // Modes come from the kernel complete; open files are many.
        umask(0)
        _ = firn_raise_descriptor_limit()
        try Daemon(options, logger, supervision).serve(ready)
    }

    private init(
        _ options: DaemonOptions, _ logger: Logger, _ supervision: Supervision?
    ) throws(StoreError) {
        self.options = options
        self.supervision = supervision
        self.logger = logger
        started = Store.clock()
        store = try Store.open(
            at: options.store, .owning, lock: supervision?.inherited?.lock, finishesLater: true)
        workspace = try store.workspace()
        mount = MountReference()
        let hashing = BackgroundHashing(workspace)
        engine = Engine(
            store: store, workspace: workspace, hashing: hashing,
            hooks: Daemon.hooks(mount, options, supervision, started, logger))
        let fileSystem: FileSystem
        do throws(VFSError) {
            fileSystem = try FileSystem(
                store: store, workspace: workspace, control: Daemon.controlFiles(mount),
                owner: Owner(uid: geteuid(), gid: getegid()), started: started,
                record: supervision?.record, hashing: hashing)
        } catch {
            throw StoreError(.system(error.code), error.message, subject: options.store)
        }
        mount.parts.withLock { [engine] in
            $0.fileSystem = fileSystem
            $0.engine = engine
        }
    }

    private func serve(_ ready: () -> Void) throws(StoreError) {
        guard let fileSystem = mount.fileSystem else { preconditionFailure("set by init") }
        let session = try connect(fileSystem)
        if let supervision, let lock = store.lock {
            supervision.leave(connection: session.descriptor, lock: lock.fd)
            session.notifyThrough(supervision.socket.fd)
        }
        mount.parts.withLock { $0.session = session }
        let server = ControlServer(engine)
        do throws(StoreError) {
            if supervision?.inherited == nil {
                try server.start()
            } else {
                try server.startWhenThereIsRoom { [logger] error in
                    guard let error else { return logger.notice("listens for commands after all") }
                    logger.error("cannot listen for commands yet", metadata: ["reason": "\(error)"])
                }
            }
        } catch {
            session.close()
            throw error
        }
        session.start()
        noteEndOfSupervisor()
        logger.notice(
            supervision?.inherited == nil ? "mounted" : "goes on with the mount",
            metadata: ["store": "\(store.path)", "mountpoint": "\(options.mountpoint)"])
        ready()
        session.stopOnTermination()
        session.wait()
        server.stop()
        if supervision?.inherited != nil, !session.hasEnded {
            // libfuse takes away only what it has mounted itself. A mount that stays answers ENOTCONN.
            try? Mountpoint.detach(options.mountpoint)
        }
        session.close()
        mount.parts.withLock { $0 = MountReference.Parts() }
        logger.notice("unmounted", metadata: ["mountpoint": "\(options.mountpoint)"])
        try store.close()
    }

    private func noteEndOfSupervisor() {
        guard let supervision else { return }
        startDetachedThread { [logger] in
            supervision.waitForEnd()
            logger.error(
                "the supervisor has ended: a daemon that dies now takes the mount with it",
                metadata: ["hint": "unmount and mount again when it suits, for another"])
        }
    }

    /// Mounts, or goes on with a mount.
    private func connect(_ fileSystem: FileSystem) throws(StoreError) -> Session {
        let options = MountOptions(
            mountpoint: options.mountpoint, source: store.path, allowsOther: options.allowOther,
            isReadOnly: options.readOnly, passesThrough: options.passthrough != .off,
            requiresPassthrough: options.passthrough == .on,
            threadCount: max(2, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        if let supervision, let inherited = supervision.inherited {
            return try Session(
                resuming: inherited.connection.fd, fileSystem, options, record: supervision.record,
                logger: logger)
        }
        // Of a daemon after which nobody went on.
        try workspace.unlinked.discardAll(but: [])
        return try Session(fileSystem, options, record: supervision?.record, logger: logger)
    }

    // MARK: What the engine tells the mount

    private static func hooks(
        _ mount: MountReference, _ options: DaemonOptions, _ supervision: Supervision?, _ started: Timestamp,
        _ logger: Logger
    ) -> MountHooks {
        MountHooks(
            versionsChanged: { added in
                do throws(VFSError) {
                    mount.add(try mount.fileSystem?.versionsChanged(added: added) ?? [])
                } catch {
                    logger.error("cannot show changed versions", metadata: ["reason": "\(error)"])
                }
                mount.forgetStale()
            },
            objectsRemoved: { mount.fileSystem?.objectsRemoved() },
            sealed: { _ throws(StoreError) in
                mount.add(try Daemon.inStore { () throws(VFSError) in try mount.fileSystem?.sealed() ?? [] })
            },
            replacing: { mount.fileSystem?.noteReplacing($0) },
            replaced: { paths throws(StoreError) in
                mount.add(
                    try Daemon.inStore { () throws(VFSError) in try mount.fileSystem?.replaced(paths) ?? [] })
            },
            afterReplace: { mount.forgetStale() },
            unmount: { () throws(StoreError) in try Unmounting.begin(options.mountpoint) },
            mountStatus: {
                guard let fileSystem = mount.fileSystem else { return nil }
                let counts = fileSystem.counts
                return MountStatus(
                    mountpoint: options.mountpoint, pid: getpid(),
                    isPassthrough: mount.session?.hasPassthrough ?? false,
                    passthroughChoice: options.passthrough,
                    isReadOnly: options.readOnly, isSupervised: supervision?.isUsable ?? false,
                    inodes: counts.nodes, openFiles: counts.openFiles,
                    started: started)
            })
    }

    private static func inStore<Result>(
        _ body: () throws(VFSError) -> Result
    ) throws(StoreError) -> Result {
        do throws(VFSError) { return try body() } catch {
            throw StoreError(.system(error.code), error.message, subject: "staging")
        }
    }

    // MARK: What .firn/ says

    private static func controlFiles(_ mount: MountReference) -> ControlFiles {
        ControlFiles(
            store: { mount.engine?.storeJSON() ?? [] }, status: { mount.engine?.statusJSON() ?? [] },
            metrics: { mount.engine?.metricsText() ?? [] },
            lastCommit: { mount.engine?.lastCommitJSON() ?? [] },
            commit: { bytes, caller, begin in
                guard let engine = mount.engine else { return .incomplete }
                let caller = Control.Caller(uid: caller.uid, gid: caller.gid, pid: caller.pid)
                switch engine.commitJSON(bytes, caller: caller, begunWith: begin()) {
                case .incomplete: return .incomplete
                case .committed: return .done
                case .failed(let error): return .failed(error)
                }
            },
            commitWasCutShort: { mount.engine?.commitWasCutShort() })
    }
}

/// Taking a mount away from outside of it.
enum Unmounting {
    /// Unmounts `mountpoint` if nothing uses it; the daemon then ends by itself.
    ///
    /// - Throws: ``StoreError`` `.busy`.
    static func begin(_ mountpoint: String) throws(StoreError) {
        if geteuid() != 0 { return try withHelper(mountpoint) }
        guard firn_unmount(mountpoint, 0) != 0 else { return }
        let error = Errno(rawValue: errno)
        guard error == .resourceBusy else { throw StoreError(error, doing: "unmount", subject: mountpoint) }
        throw busy(mountpoint)
    }

    /// An ordinary user may unmount through `fusermount3` only.
    private static func withHelper(_ mountpoint: String) throws(StoreError) {
        var child = pid_t()
        let words = ["fusermount3", "-u", "-q", "--", mountpoint]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        let error = posix_spawnp(&child, "fusermount3", nil, nil, &arguments, environ)
        guard error == 0 else {
            throw StoreError(Errno(rawValue: error), doing: "start fusermount3 for", subject: mountpoint)
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else { throw busy(mountpoint) }
    }

    private static func busy(_ mountpoint: String) -> StoreError {
        StoreError(
            .busy, "a process is using the mount", subject: mountpoint,
            hint: "leave the directory and close its files; --lazy detaches it at once and waits for them")
    }
}
