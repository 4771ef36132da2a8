import Control
import Glibc
import Logging
import Store

/// What is to be mounted, where and how, however it was asked for.
struct MountRequest {
    var store: String
    var mountpoint: String
    var allowsOther = false
    var isReadOnly = false
    var isDebugging = false
    var logFile: String?

    /// Returns when the mount can be used.
    ///
    /// - Throws: ``StoreError`` for whatever is wrong with the store, the mountpoint or the daemon's start.
    func startInBackground() throws(StoreError) {
        let (store, mountpoint) = try check()
        var arguments = ["mount", store, mountpoint, "--ready-fd", String(BackgroundStart.readyDescriptor)]
        if allowsOther { arguments.append("--allow-other") }
        if isReadOnly { arguments += ["-o", "ro"] }
        if isDebugging { arguments.append("--debug") }
        try BackgroundStart.run(arguments, logPath: logFile ?? store + "/firn.log")
    }

    /// Is the daemon; returns when it has been unmounted.
    ///
    /// - Parameter readyDescriptor: where to say that the mount can be used, or why it cannot; nil for a daemon
    ///   in the foreground.
    func runDaemon(readyDescriptor: Int32?) throws(StoreError) {
        if readyDescriptor == nil, let logFile { try DaemonLog.redirect(to: logFile) }
        let logger = DaemonLog.logger(isDebugging: isDebugging)
        var waiting = readyDescriptor
        do throws(StoreError) {
            // One in the background was given paths that have been checked, and holds no directory busy.
            let (store, mountpoint) = readyDescriptor == nil ? try check() : (store, mountpoint)
            if readyDescriptor != nil { _ = chdir("/") }
            let options = DaemonOptions(
                store: store, mountpoint: mountpoint, allowOther: allowsOther, readOnly: isReadOnly,
                isForeground: readyDescriptor == nil, debug: isDebugging)
            try Daemon.run(options, logger: logger) {
                if let descriptor = waiting { BackgroundStart.report(nil, to: descriptor) }
                waiting = nil
            }
        } catch {
            if let descriptor = waiting { BackgroundStart.report(error, to: descriptor) }
            throw error
        }
    }

    /// Finds what can be found to be wrong before anything starts.
    private func check() throws(StoreError) -> (store: String, mountpoint: String) {
        let opened = try Store.open(at: store, .reading)
        let path = opened.path
        try opened.close()
        if let owner = try ControlClient.perform(.status(listsChanges: false), at: path) {
            throw StoreError(
                .busy, "the store is mounted already", subject: path,
                hint: "its mount is \(owner["mount"]["mountpoint"].string ?? "elsewhere")")
        }
        let mountpoint = try Mountpoint.prepare(mountpoint, for: path)
        try FuseAccess.require(allowsOther: allowsOther)
        return (path, mountpoint)
    }
}
