import Glibc
import Store
import SystemPackage

/// What this process needs of the system to mount at all. Looked at before the daemon starts, because libfuse
/// says of most of it only "Operation not permitted".
enum FuseAccess {
    /// - Throws: ``StoreError`` of the system, with what is missing and how to get it.
    ///
    /// - Parameter mountpoint: an ordinary user must be able to write to it. See: `man 1 fusermount3`.
    static func require(allowsOther: Bool, mountpoint: String) throws(StoreError) {
        if access("/dev/fuse", R_OK | W_OK) != 0 {
            let error = Errno(rawValue: errno)
            throw StoreError(
                .system(error),
                error == .noSuchFileOrDirectory
                    ? "there is no /dev/fuse" : "/dev/fuse is closed to this user: \(error)",
                subject: "/dev/fuse",
                hint: error == .noSuchFileOrDirectory
                    ? "load the kernel module (modprobe fuse), or give the container --device /dev/fuse"
                    : "mount as root, or have root run: chmod 666 /dev/fuse")
        }
        if geteuid() == 0 { return }
        if access(mountpoint, W_OK) != 0, errno == EACCES {
            throw StoreError(
                .system(.permissionDenied), "an ordinary user may mount only where the user may write",
                subject: mountpoint, hint: "give a directory of your own, or mount as root")
        }
        guard isInstalled("fusermount3") else {
            throw StoreError(
                .system(.noSuchFileOrDirectory),
                "an ordinary user mounts through fusermount3, which is not here",
                subject: "fusermount3", hint: "install it (Debian: apt install fuse3), or mount as root")
        }
        if allowsOther, !permitsOthers((try? SmallFile.read("/etc/fuse.conf")) ?? []) {
            throw StoreError(
                .system(.notPermitted), "the system does not let ordinary users open their mounts to others",
                subject: "--allow-other", hint: "have root add the line user_allow_other to /etc/fuse.conf")
        }
    }

    /// Whether `/etc/fuse.conf` lets ordinary users give `allow_other`. See: `man 8 mount.fuse3`.
    static func permitsOthers(_ configuration: [UInt8]) -> Bool {
        String(decoding: configuration, as: UTF8.self).split(whereSeparator: \.isNewline)
            .contains { $0.trimmingPrefix { $0 == " " || $0 == "\t" }.hasPrefix("user_allow_other") }
    }

    private static func isInstalled(_ program: String) -> Bool {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").contains { access("\($0)/\(program)", X_OK) == 0 }
    }
}
