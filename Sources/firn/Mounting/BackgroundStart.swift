import CLinux
import Control
import Glibc
import Store
import SystemPackage

/// Starts the daemon in the background and waits until its mount can be used.
///
/// The daemon is this same program with `--ready-fd`: there it writes one line of JSON, `{"ok": true}` or
/// `{"error": …}`, and closes it. One that ends without a word has crashed.
enum BackgroundStart {
    /// The descriptor that the daemon finds its pipe at.
    static let readyDescriptor: Int32 = 3

    /// A log that has grown larger than this is set aside as `firn.log.1` before a start.
    private static let logByteCountMax: off_t = 16 << 20

    /// - Parameter arguments: the daemon's, without the program's own name.
    /// - Throws: what the daemon said, or what can be said of its death.
    static func run(_ arguments: [String], logPath: String) throws(StoreError) {
        let log = try openLog(logPath)
        let start = try system(logPath) { () throws(Errno) in try Syscall.stat(log.fd).st_size }
        let (reading, writing) = try makePipe()
        let null = try system("/dev/null") { () throws(Errno) in
            try Syscall.open(at: AT_FDCWD, RawPath("/dev/null"), O_RDONLY)
        }
        try spawn(arguments, [null.fd, log.fd, log.fd, writing])
        close(writing)
        let pipe = Descriptor(reading)
        guard try readReport(pipe.fd) else { throw died(logPath, log, from: start) }
    }

    /// Waits for what a daemon reports with ``report(_:to:)``.
    ///
    /// - Returns: whether it did; false when it ended without a word.
    /// - Throws: the ``StoreError`` it reported.
    static func readReport(_ descriptor: Int32) throws(StoreError) -> Bool {
        guard let json = try? JSONParser.parse(readToEnd(descriptor)) else { return false }
        if !json["error"].isNull { throw json["error"].storeError }
        return json["ok"].bool == true
    }

    /// What the daemon is to write when it is ready, or fails to be.
    static func report(_ error: StoreError?, to descriptor: Int32) {
        let json: JSONValue = error.map { ["error": JSONValue(error: $0)] } ?? ["ok": .bool(true)]
        let line = Array((json.line + "\n").utf8)
        _ = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
    }

    private static func openLog(_ path: String) throws(StoreError) -> Descriptor {
        try system(path) { () throws(Errno) in
            let raw = RawPath(path)
            if let found = try Syscall.statIfPresent(at: AT_FDCWD, raw),
                found.st_mode & S_IFMT == S_IFREG, found.st_size > logByteCountMax
            {
                try Syscall.rename(at: AT_FDCWD, raw, to: AT_FDCWD, RawPath(path + ".1"))
            }
            return try Syscall.open(at: AT_FDCWD, raw, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, mode: 0o600)
        }
    }

    private static func makePipe() throws(StoreError) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw StoreError(Errno(rawValue: errno), doing: "make a pipe", subject: "")
        }
        return (ends[0], ends[1])
    }

    private static func spawn(_ arguments: [String], _ descriptors: [Int32]) throws(StoreError) {
        var words: [UnsafeMutablePointer<CChar>?] = (["firn"] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let child = firn_spawn_detached("/proc/self/exe", &words, descriptors, Int32(descriptors.count))
        guard child > 0 else {
            throw StoreError(
                Errno(rawValue: errno), doing: "start the daemon", subject: arguments.first ?? "")
        }
    }

    private static func readToEnd(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return bytes }
            bytes.append(contentsOf: buffer.prefix(count))
        }
    }

    private static func died(_ path: String, _ log: Descriptor, from start: off_t) -> StoreError {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = buffer.withUnsafeMutableBytes { (try? Syscall.read(log.fd, into: $0, at: start)) ?? 0 }
        let lines = buffer.prefix(count).split(separator: UInt8(ascii: "\n")).suffix(5)
            .map { Printable.name(Array($0)) }
        let said = lines.isEmpty ? "it said nothing" : "the last it said: \(lines.joined(separator: " | "))"
        return StoreError(
            .system(.noChildProcess), "the daemon ended before the mount was ready; \(said)", subject: path,
            hint: "firn mount --foreground shows more")
    }

    private static func system<Result>(
        _ path: String, _ call: () throws(Errno) -> Result
    ) throws(StoreError) -> Result {
        do throws(Errno) { return try call() } catch {
            throw StoreError(error, doing: "open the log", subject: path)
        }
    }
}
