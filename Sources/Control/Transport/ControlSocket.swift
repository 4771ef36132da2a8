internal import CLinux
internal import Glibc
internal import Store
internal import SystemPackage

/// The Unix stream socket `STORE/control.sock`: the few system calls it takes, each as one thin function.
enum ControlSocket {
    static let name = "control.sock"

    /// Binds and listens at `STORE/control.sock` in place of whatever was left there, with mode 0600. Whoever
    /// calls this owns the store, so an older socket is a dead daemon's.
    static func listen(in store: String) throws(Errno) -> Descriptor {
        let (directory, address) = try address(in: store)
        defer { withExtendedLifetime(directory) {} }
        let socket = try make()
        do throws(Errno) { try Syscall.unlink(at: directory.fd, RawPath(name)) } catch {
            if error != .noSuchFileOrDirectory { throw error }
        }
        // The file takes its mode from the socket, so there is no moment at which others may connect.
        try Syscall.changeMode(socket.fd, 0o600)
        try check(withSocketAddress(address) { Glibc.bind(socket.fd, $0, $1) })
        try check(Glibc.listen(socket.fd, 64))
        return socket
    }

    static func remove(in store: String) {
        // A socket that stays behind is replaced by the next server, and refuses connections until then.
        guard let (directory, _) = try? address(in: store) else { return }
        try? Syscall.unlink(at: directory.fd, RawPath(name))
    }

    /// - Throws: `.noSuchFileOrDirectory` or `.connectionRefused` where no daemon listens.
    static func connect(to store: String) throws(Errno) -> Descriptor {
        let (directory, address) = try address(in: store)
        defer { withExtendedLifetime(directory) {} }
        let socket = try make()
        try check(withSocketAddress(address) { Glibc.connect(socket.fd, $0, $1) })
        return socket
    }

    /// nil when there was none to accept after all.
    static func accept(_ listener: Int32) -> Descriptor? {
        let fd = Glibc.accept(listener, nil, nil)
        guard fd >= 0 else { return nil }
        _ = fcntl(fd, F_SETFD, FD_CLOEXEC)
        return Descriptor(fd)
    }

    /// The process at the other end, as the kernel noted it when it connected.
    static func peer(of fd: Int32) throws(Errno) -> Caller {
        var (pid, uid, gid): (Int32, UInt32, UInt32) = (0, 0, 0)
        try check(firn_peer_credentials(fd, &pid, &uid, &gid))
        return Caller(uid: uid, gid: gid, pid: pid)
    }

    /// How long a read may wait for bytes, and a write for room, before it fails with EAGAIN.
    static func limitWaits(of fd: Int32, seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(fd, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Makes reads see the end, so that a thread that waits in one returns.
    static func endReads(of fd: Int32) { _ = shutdown(fd, Int32(SHUT_RD)) }

    /// Makes every later call on it, and every one under way, fail or see the end.
    static func end(_ fd: Int32) { _ = shutdown(fd, Int32(SHUT_RDWR)) }

    /// Up to `countMax` bytes; none at the end.
    static func receive(_ fd: Int32, countMax: Int) throws(Errno) -> [UInt8] {
        var passed: Descriptor?
        return try receive(fd, countMax: countMax, &passed)
    }

    /// The same; a descriptor that the peer has passed with these bytes takes the place of `passed`.
    static func receive(
        _ fd: Int32, countMax: Int, _ passed: inout Descriptor?
    ) throws(Errno) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: countMax)
        var descriptor: Int32 = -1
        let count = try buffer.withUnsafeMutableBytes { buffer -> Result<Int, Errno> in
            Result { () throws(Errno) in
                try checked { firn_receive(fd, buffer.baseAddress, buffer.count, &descriptor) }
            }
        }.get()
        if descriptor >= 0 { passed = Descriptor(descriptor) }
        return Array(buffer.prefix(count))
    }

    /// All of `bytes`, or an error; a peer that is gone is `.brokenPipe`, never a signal.
    ///
    /// - Parameter descriptor: passed to the peer with the first of the bytes.
    static func send(_ fd: Int32, _ bytes: [UInt8], with descriptor: Descriptor? = nil) throws(Errno) {
        var done = 0
        if let descriptor {
            done = try bytes.withUnsafeBytes { buffer -> Result<Int, Errno> in
                Result { () throws(Errno) in
                    try checked {
                        Int(firn_send_descriptor(fd, buffer.baseAddress, buffer.count, descriptor.fd))
                    }
                }
            }.get()
            withExtendedLifetime(descriptor) {}
        }
        while done < bytes.count {
            done += try bytes.withUnsafeBytes { buffer -> Result<Int, Errno> in
                Result { () throws(Errno) in
                    try checked {
                        Glibc.send(fd, buffer.baseAddress! + done, buffer.count - done, Int32(MSG_NOSIGNAL))
                    }
                }
            }.get()
        }
    }

    // MARK: Addresses

    private static func make() throws(Errno) -> Descriptor {
        let fd = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard fd >= 0 else { throw Errno(rawValue: errno) }
        return Descriptor(fd)
    }

    /// A socket's address holds 107 bytes and a store's path 4,095, so the address goes through a descriptor of
    /// the store, which must stay open until it was used.
    private static func address(in store: String) throws(Errno) -> (directory: Descriptor, path: String) {
        let directory = try Syscall.open(at: AT_FDCWD, RawPath(store), O_RDONLY | O_DIRECTORY)
        return (directory, "/proc/self/fd/\(directory.fd)/\(name)")
    }

    private static func withSocketAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private static func check(_ result: Int32) throws(Errno) {
        if result < 0 { throw Errno(rawValue: errno) }
    }

    private static func checked(_ call: () -> Int) throws(Errno) -> Int {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }
}
