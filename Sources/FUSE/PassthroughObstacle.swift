public import Store
internal import SystemPackage

/// Why the kernel does not read and write files without the daemon.
public struct PassthroughObstacle: Hashable, Sendable {
    let reason: String
    /// What to do about it.
    let remedy: String

    public static let notRoot = PassthroughObstacle(
        reason: "only root may register files with the kernel", remedy: "mount as root")

    static let notOffered = PassthroughObstacle(
        reason: "the kernel does not offer it", remedy: "use Linux 6.9 or later with CONFIG_FUSE_PASSTHROUGH")

    private init(reason: String, remedy: String) {
        self.reason = reason
        self.remedy = remedy
    }

    /// - Parameter refusal: the kernel's, of a file. See: fuse_backing_open in the kernel's fs/fuse.
    init(_ refusal: Errno) {
        switch refusal {
        case .notPermitted:
            self.init(
                reason: "the kernel does not let this process register files",
                remedy: "mount with CAP_SYS_ADMIN outside of any user namespace")
        case .tooManySymbolicLinkLevels:
            self.init(
                reason: "the store lies on a filesystem that itself lies on others, as overlayfs does",
                remedy: "put the store on a disk of its own")
        default:
            self.init(
                reason: "the kernel refuses to register a file of the store: \(refusal)",
                remedy: "see the kernel's log")
        }
    }

    /// What who insists on passthrough is told.
    public func error(_ mountpoint: String) -> StoreError {
        StoreError(
            .system(.notSupported), "cannot mount with --passthrough on: \(reason)", subject: mountpoint,
            hint:
                "\(remedy), or mount with --passthrough auto, by which the daemon reads and writes where the "
                + "kernel cannot")
    }
}
