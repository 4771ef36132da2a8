import Control
import FUSE
import Glibc
import Logging
import Store
import SystemPackage

/// What is to be mounted, where and how, however it was asked for.
struct MountRequest {
    var store: String
    var mountpoint: String
    var allowsOther = false
    var isReadOnly = false
    var isDebugging = false
    var logFile: String?
    /// Whether a daemon that dies is followed by another.
    var isSupervised = true
    var passthrough = PassthroughChoice.auto

    /// Returns when the mount can be used.
    ///
    /// - Throws: ``StoreError`` for whatever is wrong with the store, the mountpoint or the daemon's start.
    func startInBackground() throws(StoreError) {
        let (store, mountpoint) = try check()
        let arguments =
            daemonArguments(store, mountpoint) + ["--ready-fd", String(BackgroundStart.readyDescriptor)]
            + (isSupervised ? [] : ["--no-supervise"])
        try BackgroundStart.run(arguments, logPath: logFile ?? store + "/firn.log")
    }

    /// Is the daemon, or the supervisor of one; returns when it has been unmounted.
    ///
    /// - Parameters:
    ///   - readyDescriptor: where to say that the mount can be used, or why it cannot; nil in the foreground.
    ///   - supervision: of a daemon that a supervisor has started.
    func serve(readyDescriptor: Int32?, supervision: Supervision?) throws(StoreError) {
        if readyDescriptor == nil, let logFile { try DaemonLog.redirect(to: logFile) }
        let logger = DaemonLog.logger(isDebugging: isDebugging)
        var waiting = readyDescriptor
        let ready = {
            if let descriptor = waiting { BackgroundStart.report(nil, to: descriptor) }
            waiting = nil
        }
        do throws(StoreError) {
            // One in the background was given paths that have been checked, and holds no directory busy.
            let (store, mountpoint) = readyDescriptor == nil ? try check() : (store, mountpoint)
            if readyDescriptor != nil { _ = chdir("/") }
            if isSupervised, supervision == nil {
                try Supervisor(daemonArguments(store, mountpoint), logger: logger).run(ready: ready)
            } else {
                let options = DaemonOptions(
                    store: store, mountpoint: mountpoint, allowOther: allowsOther, readOnly: isReadOnly,
                    passthrough: passthrough)
                try Daemon.run(options, logger: logger, supervision: supervision, ready: ready)
            }
        } catch {
            if let descriptor = waiting { BackgroundStart.report(error, to: descriptor) }
            throw error
        }
    }

    private func daemonArguments(_ store: String, _ mountpoint: String) -> [String] {
        var arguments = ["mount", store, mountpoint]
        if allowsOther { arguments.append("--allow-other") }
        if isReadOnly { arguments += ["-o", "ro"] }
        if isDebugging { arguments.append("--debug") }
        if passthrough != .auto { arguments += ["--passthrough", passthrough.rawValue] }
        return arguments
    }

    /// Finds what can be found to be wrong before anything starts.
    private func check() throws(StoreError) -> (store: String, mountpoint: String) {
        let opened = try Store.open(at: store, .reading)
        let path = opened.path
        try opened.close()
        try KilledDaemon.end(of: path)
        if let owner = try MountRequest.owner(of: path) {
            throw StoreError(
                .busy, "the store is mounted already", subject: path,
                hint: "its mount is \(owner["mount"]["mountpoint"].string ?? "elsewhere")")
        }
        let mountpoint = try Mountpoint.prepare(mountpoint, for: path)
        try FuseAccess.require(allowsOther: allowsOther, mountpoint: mountpoint)
        // What else may be in the way shows when the mount is made.
        if passthrough == .on, geteuid() != 0 { throw PassthroughObstacle.notRoot.error(mountpoint) }
        return (path, mountpoint)
    }

    /// What the daemon that owns the store says of itself; nil where there is none. One that was killed may still be
    /// dying: it takes the question and never answers.
    private static func owner(of path: String) throws(StoreError) -> JSONValue? {
        let deadline = ContinuousClock.now + .seconds(5)
        while true {
            do throws(StoreError) {
                return try ControlClient.perform(.status(listsChanges: false), at: path)
            } catch {
                guard error.errno == .connectionReset, .now < deadline else { throw error }
                usleep(10_000)
            }
        }
    }
}
