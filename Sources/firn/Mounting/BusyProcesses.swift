import Glibc
import Objects
import Store
import SystemPackage

/// Which processes keep a mount busy, as far as this user may see: by working directory, root, program, open
/// files and mappings, read from `/proc` without touching the mount.
enum BusyProcesses {
    struct User: Hashable {
        let pid: Int32
        let command: String
        /// What it uses, such as `its working directory` or a path.
        let use: String
    }

    static let countMax = 10

    static func find(below mountpoint: String) -> [User] {
        let names = (try? Syscall.names(at: AT_FDCWD, RawPath("/proc"))) ?? []
        var users: [User] = []
        for pid in names.compactMap({ Int32($0.display) }).sorted() where pid != getpid() {
            guard let use = use(of: pid, below: mountpoint) else { continue }
            users.append(User(pid: pid, command: command(of: pid), use: use))
            if users.count == countMax { break }
        }
        return users
    }

    private static func use(of pid: Int32, below mountpoint: String) -> String? {
        for (link, words) in [("cwd", "its working directory"), ("root", "its root"), ("exe", "its program")]
        where isBelow(target(of: "/proc/\(pid)/\(link)"), mountpoint) {
            return words
        }
        for fd in (try? Syscall.names(at: AT_FDCWD, RawPath("/proc/\(pid)/fd"))) ?? [] {
            let path = target(of: "/proc/\(pid)/fd/\(fd.display)")
            if isBelow(path, mountpoint) { return path }
        }
        let maps = (try? SmallFile.read(RawPath("/proc/\(pid)/maps"), byteCountMax: 64 << 20)) ?? []
        for line in maps.split(separator: UInt8(ascii: "\n")) {
            guard let slash = line.firstIndex(of: UInt8(ascii: "/")) else { continue }
            let path = String(decoding: line[slash...], as: UTF8.self)
            if isBelow(path, mountpoint) { return path }
        }
        return nil
    }

    private static func isBelow(_ path: String, _ directory: String) -> Bool {
        path == directory || path.hasPrefix(directory + "/")
    }

    private static func target(of link: String) -> String {
        guard let bytes = try? Syscall.readSymlink(at: AT_FDCWD, RawPath(link)) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func command(of pid: Int32) -> String {
        let bytes = (try? SmallFile.read(RawPath("/proc/\(pid)/comm"))) ?? []
        return Printable.name(bytes.filter { $0 != UInt8(ascii: "\n") })
    }
}
