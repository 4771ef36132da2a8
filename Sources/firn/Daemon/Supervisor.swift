import CLinux
import Control
import FUSE
import Glibc
import Logging
import Store
import SystemPackage
import VFS

/// The process above the daemon: it keeps the connection to the kernel, the store's lock and the record of the mount,
/// does nothing itself, and starts another daemon when one dies. Programs with open files see a pause.
///
/// The first daemon mounts and sends what is to be kept; later ones are sent it. Descriptors of a daemon: 3 where it
/// reports that it is ready, 4 the record, 5 the socket to the supervisor.
final class Supervisor: Sendable {
    private let arguments: [String]
    private let logger: Logger
    private let memory: SharedMemory
    /// The daemon that runs now.
    private let daemon = Lock(pid_t(0))

    /// Daemons in a row that crashed this soon before this gives up: a request that kills whoever performs it comes
    /// again at once. SIGKILL is somebody's wish, and no crash.
    private static let quickDeathsMax = 20
    private static let quickDeath = Duration.seconds(2)

    /// - Parameter arguments: the daemon's, without the program's own name and what the supervisor adds.
    init(_ arguments: [String], logger: Logger) throws(StoreError) {
        self.arguments = arguments
        self.logger = logger
        do throws(Errno) {
            memory = try SharedMemory(creating: "firn-mount", byteCount: MountRecord.byteCount)
        } catch { throw StoreError(error, doing: "make the record of the mount", subject: "") }
    }

    /// Returns when the mount is gone.
    ///
    /// - Parameter ready: called once, when the mount can be used.
    /// - Throws: ``StoreError`` of the first daemon's start, or when daemons keep dying.
    func run(ready: () -> Void) throws(StoreError) {
        guard firn_block_termination() == 0 else {
            throw StoreError(Errno(rawValue: errno), doing: "block signals", subject: "")
        }
        let first = try start()
        guard let kept = try? Supervision.receive(first.socket.fd) else {
            throw try failure(first)
        }
        try first.requireReady()
        ready()
        forwardSignals()
        try keepRunning(first, kept)
    }

    private func keepRunning(
        _ first: Child, _ kept: (connection: Descriptor, lock: Descriptor)
    ) throws(StoreError) {
        var child = first
        serveNotifications(of: child, kept.connection)
        var quickDeaths = 0
        while true {
            let began = ContinuousClock.now
            let end = wait(child)
            if end.isClean { return }
            logger.error("the daemon died", metadata: ["pid": "\(child.pid)", "how": "\(end)"])
            // A record that makes no sense is as good as none.
            guard let record = try? MountRecord(in: memory), record.canResume else {
                throw lost("the kernel cannot send a new daemon its requests again (Linux 6.9 can)")
            }
            let isQuick = !end.isKill && ContinuousClock.now - began < Supervisor.quickDeath
            quickDeaths = isQuick ? quickDeaths + 1 : 0
            guard quickDeaths < Supervisor.quickDeathsMax else {
                throw lost("\(quickDeaths) daemons in a row crashed at once")
            }
            // The first again at once; more and more slowly if that does not help.
            usleep(UInt32(quickDeaths * quickDeaths) * 2_000)
            child = try start(resumingWith: kept)
            // At once: the daemon may have something to tell before it is ready.
            serveNotifications(of: child, kept.connection)
            do throws(StoreError) { try child.requireReady() } catch {
                logger.error("the next daemon could not go on", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func serveNotifications(of child: Child, _ connection: Descriptor) {
        startDetachedThread { [socket = child.socket] in
            Session.serveNotifications(socket.fd, connection: connection.fd)
        }
    }

    private func lost(_ reason: String) -> StoreError {
        // Before the connection ends, with which programs learn of it.
        logger.error("the mount is lost", metadata: ["reason": "\(reason)"])
        return StoreError(
            .system(.socketNotConnected), "the mount is lost: \(reason)", subject: arguments.last ?? "",
            hint: "what was staged is safe; mount again")
    }

    /// What a daemon said that ended before it was ready.
    private func failure(_ child: Child) throws(StoreError) -> StoreError {
        try child.requireReady()
        return lost("the daemon was ready and is gone")
    }

    // MARK: Daemons

    private struct Child {
        let pid: pid_t
        let socket: Descriptor
        /// Where it reports that it is ready.
        let report: Descriptor

        /// - Throws: ``StoreError``: what it reported instead, or that it ended without a word.
        func requireReady() throws(StoreError) {
            guard try BackgroundStart.readReport(report.fd) else {
                throw StoreError(
                    .system(.noChildProcess), "the daemon ended before it was ready", subject: "")
            }
        }
    }

    private func start(
        resumingWith kept: (connection: Descriptor, lock: Descriptor)? = nil
    ) throws(StoreError) -> Child {
        let (reading, writing) = try Supervisor.pair { pipe($0) }
        let (socket, other) = try Supervisor.pair {
            socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), 0, $0)
        }
        var words = arguments + ["--ready-fd", "3", "--record-fd", "4", "--supervisor-fd", "5"]
        if kept != nil { words.append("--resume") }
        var pointers: [UnsafeMutablePointer<CChar>?] = (["firn"] + words).map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        let descriptors = [0, 1, 2, writing.fd, memory.descriptor.fd, other.fd]
        let pid = firn_spawn_child("/proc/self/exe", &pointers, descriptors, Int32(descriptors.count))
        guard pid > 0 else {
            throw StoreError(Errno(rawValue: errno), doing: "start the daemon", subject: "")
        }
        daemon.withLock { $0 = pid }
        // Waits in the socket until the daemon takes it.
        if let kept { _ = firn_send_descriptors(socket.fd, [kept.connection.fd, kept.lock.fd], 2) }
        return Child(pid: pid, socket: socket, report: reading)
    }

    private static func pair(
        _ make: (UnsafeMutablePointer<Int32>) -> Int32
    ) throws(StoreError) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        guard make(&ends) == 0 else {
            throw StoreError(Errno(rawValue: errno), doing: "make a channel to the daemon", subject: "")
        }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    private struct End: CustomStringConvertible {
        let status: Int32

        var isClean: Bool { status == 0 }
        var isKill: Bool { status & 0x7F == SIGKILL }

        var description: String {
            let signal = status & 0x7F
            return signal == 0 ? "status \(status >> 8 & 0xFF)" : "signal \(signal)"
        }
    }

    private func wait(_ child: Child) -> End {
        var status: Int32 = 0
        while waitpid(child.pid, &status, 0) < 0, errno == EINTR {}
        return End(status: status)
    }

    /// What ends the supervisor ends the daemon, which unmounts, and with it the supervisor.
    private func forwardSignals() {
        startDetachedThread { [self] in
            while true {
                let signal = firn_wait_termination()
                daemon.withLock { _ = kill($0, signal) }
            }
        }
    }
}
