import Glibc
import Logging
import Objects
import Store
import SystemPackage

/// The daemon's log: one line an event on standard error, which in the background is a file.
///
///     2026-11-20T09:30:05Z notice mounted mountpoint=/mnt/firn store=/srv/firn
struct DaemonLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level

    static func logger(isDebugging: Bool) -> Logger {
        Logger(label: "firn") { _ in DaemonLog(logLevel: isDebugging ? .debug : .info) }
    }

    /// Makes `path` standard error, so that whatever else says something there lands in the log as well.
    static func redirect(to path: String) throws(StoreError) {
        do throws(Errno) {
            let file = try Syscall.open(
                at: AT_FDCWD, RawPath(path), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, mode: 0o600)
            guard dup2(file.fd, STDERR_FILENO) >= 0 else { throw Errno(rawValue: errno) }
        } catch { throw StoreError(error, doing: "open the log", subject: path) }
    }

    private init(logLevel: Logger.Level) {
        self.logLevel = logLevel
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let values = metadata.merging(event.metadata ?? [:]) { $1 }
            .sorted { $0.key < $1.key }
            .map { " \($0.key)=\(DaemonLog.quoted("\($0.value)"))" }
        let time = CivilDate(Store.clock()).timeText
        StandardError.line("\(time) \(event.level) \(Printable.text("\(event.message)"))\(values.joined())")
    }

    /// In quotes where it would not read as one word.
    private static func quoted(_ value: String) -> String {
        let text = Printable.text(value)
        guard text.isEmpty || text.contains(where: { $0 == " " || $0 == "\"" || $0 == "=" }) else {
            return text
        }
        return "\"\(text.replacing("\"", with: "\\\""))\""
    }
}
