import CLinux
import Glibc
import Store
import SystemPackage

/// A daemon that was killed while it told the kernel of a changed name. The kernel waits for the directory then, which a
/// program holds that waits for an answer of the daemon: it cannot end before its connection does. With a supervisor the
/// next daemon answers.
enum KilledDaemon {
    /// Ends the connection of the store's owner if that was killed and is still there.
    static func end(of store: String) throws(StoreError) {
        guard let process = owner(of: store), waitForEnd(process, .milliseconds(500)) else { return }
        for mount in try MountTable.read().mounts(of: Array(store.utf8)) { abort(mount) }
        if waitForEnd(process, .seconds(10)) {
            throw StoreError(
                .busy, "the daemon (process \(process)) was killed and does not end", subject: store,
                hint: "end its connection as root: umount -f MOUNT")
        }
    }

    private static func owner(of store: String) -> Int32? {
        // Without a lock to read there is no owner to wait for.
        guard let text = try? SmallFile.read(RawPath("\(store)/lock"), byteCountMax: 32) else { return nil }
        return Int32(String(decoding: text, as: UTF8.self).filter(\.isNumber))
    }

    /// - Returns: whether it is still there after that time, though it was killed.
    private static func waitForEnd(_ process: Int32, _ time: Duration) -> Bool {
        let deadline = ContinuousClock.now + time
        while isKilled(process) {
            if .now > deadline { return true }
            usleep(5_000)
        }
        return false
    }

    /// Whether SIGKILL waits for one of its threads: of one that has ended but for its name there is a single one left, a
    /// zombie. See: `man 5 proc_pid_status`, State, Threads, ShdPnd.
    private static func isKilled(_ process: Int32) -> Bool {
        // One that is gone has no status.
        guard let text = try? SmallFile.read(RawPath("/proc/\(process)/status"), byteCountMax: 1 << 16) else {
            return false
        }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let value = { (key: String) in
            lines.first { $0.hasPrefix(key + ":") }?.dropFirst(key.count + 1).drop { $0.isWhitespace }
        }
        guard let pending = value("ShdPnd").flatMap({ UInt64($0, radix: 16) }) else { return false }
        if value("State")?.first == "Z", value("Threads") == "1" { return false }
        return pending & 1 << (SIGKILL - 1) != 0
    }

    private static func abort(_ mount: MountTable.Entry) {
        // Whether or not it can be unmounted at once.
        if geteuid() == 0 {
            _ = firn_abort_mount(String(decoding: mount.mountpoint, as: UTF8.self))
        }
        // Who mounted it may do that. Where it fails the process stays, which the caller sees and reports.
        let path = RawPath("/sys/fs/fuse/connections/\(mount.deviceMinor)/abort")
        guard let file = try? Syscall.open(at: AT_FDCWD, path, O_WRONLY) else { return }
        _ = try? Array("1".utf8).withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
    }
}
