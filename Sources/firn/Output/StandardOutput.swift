import Glibc
import Store
import SystemPackage

/// What a command prints: bytes, gathered and written in large pieces. Used by one thread at a time.
///
/// A full disk behind a redirection is an error like any other, so that `firn log > file` cannot end with
/// status 0 and half a file.
final class StandardOutput {
    static let isTerminal = isatty(STDOUT_FILENO) == 1

    private var buffer: [UInt8] = []

    private static let byteCountMax = 65_536

    /// - Throws: ``StoreError`` of the system. A reader that has gone ends the process, as it ends `cat`.
    func write(_ bytes: some Sequence<UInt8>) throws(StoreError) {
        buffer.append(contentsOf: bytes)
        if buffer.count >= StandardOutput.byteCountMax { try flush() }
    }

    func line(_ text: String = "") throws(StoreError) {
        try write(text.utf8)
        try write([UInt8(ascii: "\n")])
    }

    /// A name alone on a line: for a program its exact bytes, for a person without what would steer the
    /// terminal.
    func line(name: [UInt8]) throws(StoreError) {
        if StandardOutput.isTerminal { return try line(Printable.name(name)) }
        try write(name)
        try write([UInt8(ascii: "\n")])
    }

    func flush() throws(StoreError) {
        defer { buffer.removeAll(keepingCapacity: true) }
        var done = 0
        while done < buffer.count {
            let count = buffer.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress! + done, $0.count - done)
            }
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw StoreError(Errno(rawValue: errno), doing: "write", subject: "standard output")
            }
        }
    }
}
