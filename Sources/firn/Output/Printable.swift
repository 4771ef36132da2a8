/// Text from elsewhere, made fit for a terminal: a file's name or a commit's message must not move the cursor.
enum Printable {
    /// Bytes that are not UTF-8 show as U+FFFD, control characters as `\n`, `\t` or `\x1b`.
    static func name(_ bytes: [UInt8]) -> String { text(String(decoding: bytes, as: UTF8.self)) }

    static func text(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result.append(contentsOf: "\\n".unicodeScalars)
            case "\t": result.append(contentsOf: "\\t".unicodeScalars)
            case _ where isControl(scalar):
                let hex = String(scalar.value, radix: 16)
                result.append(contentsOf: "\\x\(hex.count == 1 ? "0" : "")\(hex)".unicodeScalars)
            default: result.append(scalar)
            }
        }
        return String(result)
    }

    /// The first line of a message.
    static func firstLine(_ message: String) -> String {
        text(String(message.prefix { !$0.isNewline }))
    }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
    }
}
