internal import Foundation
internal import Glibc

/// A store of its own, mounted by the real program, in a directory of its own on a real disk.
///
///     try MountedStore.with { mount in
///         try mount.write("staging/a", "bytes")
///         try mount.commit("first")
///     }
///
/// Unmounted and removed when the test is done, whether it passes or fails; what hangs is detached and killed.
public final class MountedStore {
    public let directory: TestDirectory
    /// The daemon's process; nil while nothing is mounted. Another one after ``crashDaemon()``.
    public private(set) var daemon: Int32?
    /// What would start another; nil where nothing does.
    private var supervisor: Int32?
    /// Who runs the daemon; nil for who runs the tests.
    private let user: String?
    private let options: [String]

    /// Whether this machine can mount at all. Tests that need it say so with `.enabled(if:)`.
    public static let isAvailable = access("/dev/fuse", R_OK | W_OK) == 0

    /// Whether tests, run by root, can mount as an ordinary user. Debian's rules give the device mode 0666; some
    /// containers make it for root alone.
    public static let isAvailableToAnyone: Bool = {
        var status = Glibc.stat()
        return geteuid() == 0 && stat("/dev/fuse", &status) == 0 && status.st_mode & 0o006 == 0o006
    }()

    public struct Failure: Error, CustomStringConvertible {
        public let description: String

        public init(description: String) {
            self.description = description
        }
    }

    /// Makes a store and mounts it.
    ///
    /// - Parameters:
    ///   - user: who is to own the store and run the daemon, by name; needs root.
    ///   - options: what `firn mount` is given besides.
    ///   - place: where to make the directory, if not where tests do.
    public init(as user: String? = nil, options: [String] = [], below place: String? = nil) throws {
        directory = TestDirectory(below: place)
        self.user = user
        self.options = options
        mkdir(mountpoint, 0o755)
        // Others get through to the mount, and to a store of their own.
        chmod(directory.path, 0o755)
        if let user {
            guard let entry = getpwnam(user) else { throw Failure(description: "there is no user \(user)") }
            chown(directory.path, entry.pointee.pw_uid, entry.pointee.pw_gid)
            chown(mountpoint, entry.pointee.pw_uid, entry.pointee.pw_gid)
        }
        try require(firn("init", store))
        try mount()
    }

    deinit { end() }

    public static func with<Result>(
        as user: String? = nil, options: [String] = [], below place: String? = nil,
        _ body: (MountedStore) throws -> Result
    ) throws -> Result {
        let mount = try MountedStore(as: user, options: options, below: place)
        defer { mount.end() }
        let result = try body(mount)
        try mount.requireNoTrap()
        return result
    }

    /// A supervisor hides from programs that a daemon has died of a fault of its own.
    private func requireNoTrap() throws {
        let log = FileManager.default.contents(atPath: "\(store)/firn.log") ?? Data()
        let traps = [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV].map { "signal \($0)\"" }
        for line in String(decoding: log, as: UTF8.self).split(separator: "\n")
        where traps.contains(where: { line.contains($0) }) {
            throw Failure(description: "a daemon died of itself: \(line)")
        }
    }

    // MARK: Places

    public var store: String { directory.appending("store") }
    public var mountpoint: String { directory.appending("mnt") }
    public var staging: String { "\(mountpoint)/staging" }
    public var versions: String { "\(mountpoint)/versions" }
    public var control: String { "\(mountpoint)/.firn" }

    // MARK: The program

    /// Runs `firn` on the store, as the mount's user.
    @discardableResult
    public func firn(_ arguments: String...) throws -> Shell.Outcome {
        try FirnProgram.run(arguments, as: user, store: store)
    }

    /// The same, and the program must succeed.
    @discardableResult
    public func run(_ arguments: String...) throws -> String {
        try require(FirnProgram.run(arguments, as: user, store: store)).text
    }

    @discardableResult
    private func require(_ outcome: Shell.Outcome) throws -> Shell.Outcome {
        guard outcome.status == 0 else {
            let log = FileManager.default.contents(atPath: "\(store)/firn.log") ?? Data()
            let last = String(decoding: log, as: UTF8.self).split(separator: "\n").suffix(5)
            throw Failure(
                description: """
                    firn ended with status \(outcome.status): \(outcome.complaints)
                    The daemon's last words:
                    \(last.joined(separator: "\n"))
                    """)
        }
        return outcome
    }

    // MARK: Mounting

    /// Mounts; the mount can be used when this returns.
    public func mount() throws {
        try require(
            FirnProgram.run(["mount", store, mountpoint] + options, as: user, store: nil))
        let status = try status()
        daemon = status.pid
        supervisor = status.supervised ? MountedStore.parent(of: status.pid) : nil
    }

    private struct Status: Decodable {
        struct Mount: Decodable {
            let pid: Int32
            let supervised: Bool
        }

        let mount: Mount
    }

    private func status() throws -> Status.Mount {
        // Through its owner, since nobody else may look into it, not even root.
        let cat = ["/usr/bin/cat", control + "/status"]
        let status = Data(try Shell.run(user.map { Shell.command(cat, as: $0) } ?? cat).output)
        return try JSONDecoder().decode(Status.self, from: status).mount
    }

    /// Unmounts and waits for the daemon's end; throws when the mount is in use.
    public func unmount() throws {
        var outcome = try firn("unmount", mountpoint)
        // Between its fork and its exec a child of another test has copies of this one's open files.
        let deadline = ContinuousClock.now + .seconds(5)
        while outcome.status == MountedStore.busyStatus, ContinuousClock.now < deadline {
            usleep(20_000)
            outcome = try firn("unmount", mountpoint)
        }
        try require(outcome)
        waitForDaemon()
    }

    /// What `firn` ends with where something is in use.
    private static let busyStatus: Int32 = 4

    public func remount() throws {
        try unmount()
        try mount()
    }

    /// Ends the daemon, and who would start another, as a loss of power to both would; takes the dead mount away.
    public func killDaemon() {
        killAll()
        waitForDaemon()
        detach()
    }

    /// Ends the daemon as a crash would; the supervisor starts another, which this does not wait for.
    public func crashDaemon() throws {
        guard let daemon, supervisor != nil else { throw Failure(description: "there is no supervisor") }
        kill(daemon, SIGKILL)
        MountedStore.wait(forEndOf: daemon)
        // Answered by the next one.
        self.daemon = try status().pid
    }

    /// Waits for a daemon that was told to end.
    public func waitForEnd() { waitForDaemon() }

    private func killAll() {
        // In this order, so that none is started.
        for pid in [supervisor, daemon] {
            if let pid { kill(pid, SIGKILL) }
        }
    }

    private func waitForDaemon() {
        for pid in [daemon, supervisor] {
            if let pid { MountedStore.wait(forEndOf: pid) }
        }
        daemon = nil
        supervisor = nil
    }

    private static func wait(forEndOf pid: Int32) {
        // It is no child of this process, so there is nothing to wait on but its entry in /proc.
        let deadline = ContinuousClock.now + .seconds(20)
        while MountedStore.isAlive(pid) {
            guard ContinuousClock.now < deadline else {
                kill(pid, SIGKILL)
                return
            }
            usleep(1000)
        }
    }

    private static func isAlive(_ pid: Int32) -> Bool {
        guard let fields = fields(of: pid), fields.count > 17 else { return false }
        // A zombie with threads left has files open still. See: `man 5 proc_pid_stat`, num_threads.
        return fields[0] != "X" && (fields[0] != "Z" || fields[17] > "1")
    }

    private static func parent(of pid: Int32) -> Int32? {
        fields(of: pid)?.dropFirst().first.flatMap { Int32($0) }
    }

    /// What /proc says of a process after its name: state, parent and so on.
    private static func fields(of pid: Int32) -> [Substring]? {
        guard let stat = FileManager.default.contents(atPath: "/proc/\(pid)/stat"),
            let name = stat.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        return String(decoding: stat[(name + 1)...], as: UTF8.self).split(separator: " ")
    }

    private func detach() {
        if umount2(mountpoint, Int32(MNT_DETACH)) != 0, errno == EPERM {
            _ = try? Shell.run(["/usr/bin/fusermount3", "-u", "-z", "-q", "--", mountpoint])
        }
    }

    /// Leaves nothing behind: no mount, no process.
    public func end() {
        guard daemon != nil else { return }
        let outcome = try? firn("unmount", mountpoint)
        if outcome?.status != 0 {
            detach()
            killAll()
        }
        waitForDaemon()
    }

    // MARK: Commits

    /// Commits by way of `.firn/commit`, and returns 0 or the errno of the write.
    public func commitStatus(_ json: String) -> Int32 {
        let file = Glibc.open(control + "/commit", O_WRONLY)
        guard file >= 0 else { return errno }
        let bytes = Array(json.utf8)
        let written = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        let failure = written < 0 ? errno : 0
        let closed = close(file)
        return failure != 0 ? failure : closed != 0 ? errno : 0
    }
}
