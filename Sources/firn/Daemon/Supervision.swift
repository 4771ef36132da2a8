import CLinux
import Control
import FUSE
import Glibc
import Store
import SystemPackage
import VFS

/// What ties a daemon to the supervisor that would start the next one: see ``Supervisor``.
struct Supervision: Sendable {
    /// Where what the kernel knows is noted.
    let record: MountRecord
    /// What a daemon that died has left; nil for the first.
    let inherited: Inherited?
    /// To the supervisor.
    let socket: Descriptor

    struct Inherited: Sendable {
        /// `/dev/fuse`, connected to the mount.
        let connection: Descriptor
        /// The store's lock.
        let lock: Descriptor
    }

    /// Takes what the supervisor gives its daemons.
    ///
    /// - Parameter resumes: whether to go on with a mount, which the supervisor sends then.
    init(record: Int32, socket: Int32, resumes: Bool) throws(StoreError) {
        self.socket = Descriptor(socket)
        do throws(Errno) {
            self.record = try MountRecord(
                in: try SharedMemory(mapping: Descriptor(record), byteCount: MountRecord.byteCount))
            guard resumes else {
                inherited = nil
                return
            }
            let (connection, lock) = try Supervision.receive(socket)
            inherited = Inherited(connection: connection, lock: lock)
        } catch { throw StoreError(error, doing: "take over from the supervisor", subject: "") }
    }

    /// Gives what the next daemon will need to the supervisor.
    func leave(connection: Int32, lock: Int32) {
        if inherited != nil { return }
        // A supervisor that is gone starts no other daemon, and needs nothing.
        _ = firn_send_descriptors(socket.fd, [connection, lock], 2)
    }

    /// Whether another daemon would go on: there is a supervisor, and the kernel lets it.
    var isUsable: Bool { record.canResume && !hasEnded(within: 0) }

    /// Returns when the supervisor has ended.
    func waitForEnd() { while !hasEnded(within: -1) {} }

    /// - Parameter milliseconds: how long to wait for it; for ever where that is negative.
    private func hasEnded(within milliseconds: Int32) -> Bool {
        // POLLHUP is reported whether it is asked for or not.
        var end = pollfd(fd: socket.fd, events: 0, revents: 0)
        return poll(&end, 1, milliseconds) > 0
    }

    /// - Throws: `.connectionReset` when the other end is closed without a word.
    static func receive(_ socket: Int32) throws(Errno) -> (connection: Descriptor, lock: Descriptor) {
        var descriptors: [Int32] = [-1, -1]
        let count = firn_receive_descriptors(socket, &descriptors, 2)
        guard count >= 0 else { throw Errno(rawValue: errno) }
        guard count == 2 else { throw .connectionReset }
        return (Descriptor(descriptors[0]), Descriptor(descriptors[1]))
    }
}
