extension JSONValue {
    /// On one line, without spaces and without a newline anywhere: a message of the control protocol.
    public var line: String {
        var text = ""
        write(to: &text, indentation: nil)
        return text
    }

    /// On many lines, indented by two spaces; arrays and objects without members on one. No newline at the end.
    public var indented: String {
        var text = ""
        write(to: &text, indentation: 0)
        return text
    }

    private func write(to text: inout String, indentation: Int?) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let digits): text += JSONValue.isWritable(digits) ? digits : "null"
        case .string(let value): JSONValue.write(value, to: &text)
        case .array(let elements):
            JSONValue.write(elements, between: "[", "]", to: &text, indentation) { element, text, inner in
                element.write(to: &text, indentation: inner)
            }
        case .object(let members):
            JSONValue.write(members, between: "{", "}", to: &text, indentation) { member, text, inner in
                JSONValue.write(member.key, to: &text)
                text += inner == nil ? ":" : ": "
                member.value.write(to: &text, indentation: inner)
            }
        }
    }

    private static func write<Item>(
        _ items: [Item], between open: Character, _ close: Character, to text: inout String,
        _ indentation: Int?, _ writeItem: (Item, inout String, Int?) -> Void
    ) {
        let inner = indentation.map { $0 + 2 }
        text.append(open)
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            startLine(&text, inner)
            writeItem(item, &text, inner)
        }
        if !items.isEmpty { startLine(&text, indentation) }
        text.append(close)
    }

    private static func startLine(_ text: inout String, _ indentation: Int?) {
        guard let indentation else { return }
        text += "\n" + String(repeating: " ", count: indentation)
    }

    private static func write(_ value: String, to text: inout String) {
        text += "\""
        defer { text += "\"" }
        // Most is plain, and goes as a whole.
        if value.utf8.allSatisfy({ 0x20..<0x7F ~= $0 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
        ) {
            text += value
            return
        }
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            // C1 controls steer some terminals, and U+2028/9 end lines in some languages.
            case _ where scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value),
                "\u{2028}", "\u{2029}":
                let hex = String(scalar.value, radix: 16)
                text += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: text.unicodeScalars.append(scalar)
            }
        }
    }

    /// What Python calls a number and RFC 8259 does not is read, never written.
    private static func isWritable(_ digits: String) -> Bool {
        guard let last = digits.utf8.last else { return false }
        return (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(last)
    }
}
