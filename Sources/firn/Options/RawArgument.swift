import ArgumentParser

/// Command-line arguments whose bytes survive being Swift strings.
///
/// File names are bytes; the argument parser takes strings. A byte that is not UTF-8 becomes a scalar of its
/// own at the end of plane 16 (U+10FF00 plus the byte), where no text has anything; text that does have
/// something there is treated as if it were not UTF-8.
enum RawArgument {
    private static let base: UInt32 = 0x10FF00

    /// The arguments of this process; the first is its own name.
    static var all: [String] {
        (0..<Int(CommandLine.argc)).compactMap { index in
            guard let argument = CommandLine.unsafeArgv[index] else { return nil }
            return string(Array(UnsafeRawBufferPointer(start: argument, count: length(argument))))
        }
    }

    private static func length(_ argument: UnsafeMutablePointer<CChar>) -> Int {
        var length = 0
        while argument[length] != 0 { length += 1 }
        return length
    }

    static func string(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains(where: { $0.value >= base })
        {
            return text
        }
        // ASCII stands for itself; everything else is marked, whether or not parts of it are UTF-8.
        var scalars = String.UnicodeScalarView()
        for byte in bytes {
            let value = byte < 0x80 ? UInt32(byte) : base + UInt32(byte)
            if let scalar = Unicode.Scalar(value) { scalars.append(scalar) }
        }
        return String(scalars)
    }

    /// The inverse of ``string(_:)``.
    static func bytes(_ string: String) -> [UInt8] {
        var bytes: [UInt8] = []
        for scalar in string.unicodeScalars {
            if scalar.value >= base {
                bytes.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                bytes.append(contentsOf: UTF8.encode(scalar).map { Array($0) } ?? [])
            }
        }
        return bytes
    }

    /// What cannot be text is shown as U+FFFD: for messages, keys and values, which are text.
    static func text(_ string: String) -> String { String(decoding: bytes(string), as: UTF8.self) }
}

/// A path of the host, or a path in a version, as it was typed.
struct PathArgument: ExpressibleByArgument, Hashable, Sendable {
    let bytes: [UInt8]

    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        bytes = RawArgument.bytes(argument)
    }

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// For messages, and for calls that take text.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
