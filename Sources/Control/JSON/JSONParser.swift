/// Why bytes are not a JSON document.
public enum JSONParseError: Error, Hashable, Sendable {
    /// The bytes are the beginning of a document: more may make it whole.
    case incomplete
    /// No continuation can make it one.
    case malformed(String, line: Int, column: Int)
}

/// Reads one JSON document from bytes that nobody vouches for: it throws, and never traps.
///
/// Beyond RFC 8259 it accepts `NaN`, `Infinity` and `-Infinity` as numbers, and it refuses a key given twice
/// in one object and nesting deeper than ``depthMax``.
public struct JSONParser {
    private let bytes: [UInt8]
    private var index = 0

    public static let depthMax = 64

    /// - Throws: ``JSONParseError``
    public static func parse(_ bytes: [UInt8]) throws(JSONParseError) -> JSONValue {
        var parser = JSONParser(bytes)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.index == bytes.count else { throw parser.malformed("there is more after the end") }
        return value
    }

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func value(depth: Int) throws(JSONParseError) -> JSONValue {
        guard depth <= JSONParser.depthMax else { throw malformed("nested too deeply") }
        skipSpace()
        switch try peek() {
        case UInt8(ascii: "{"): return try object(depth: depth)
        case UInt8(ascii: "["): return try array(depth: depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "N"): return try word("NaN", .number("NaN"))
        case UInt8(ascii: "I"): return try word("Infinity", .number("Infinity"))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        default: throw malformed("a value is missing here")
        }
    }

    private mutating func object(depth: Int) throws(JSONParseError) -> JSONValue {
        var members: [JSONValue.Member] = []
        var keys: Set<String> = []
        index += 1
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            index += 1
            return .object(members)
        }
        while true {
            skipSpace()
            guard try peek() == UInt8(ascii: "\"") else { throw malformed("a key in quotes is missing here") }
            let key = try string()
            guard keys.insert(key).inserted else { throw malformed("the key \"\(key)\" is given twice") }
            skipSpace()
            guard try peek() == UInt8(ascii: ":") else { throw malformed("a colon is missing here") }
            index += 1
            members.append(.init(key, try value(depth: depth + 1)))
            if try endsList(with: UInt8(ascii: "}")) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(JSONParseError) -> JSONValue {
        var elements: [JSONValue] = []
        index += 1
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            index += 1
            return .array(elements)
        }
        while true {
            elements.append(try value(depth: depth + 1))
            if try endsList(with: UInt8(ascii: "]")) { return .array(elements) }
        }
    }

    /// Passes the comma or the bracket after an item.
    private mutating func endsList(with close: UInt8) throws(JSONParseError) -> Bool {
        skipSpace()
        let byte = try peek()
        guard byte == UInt8(ascii: ",") || byte == close else {
            throw malformed("a comma or '\(Character(Unicode.Scalar(close)))' is missing here")
        }
        index += 1
        return byte == close
    }

    private mutating func word(_ word: StaticString, _ value: JSONValue) throws(JSONParseError) -> JSONValue {
        for expected in word.withUTF8Buffer({ Array($0) }) {
            guard try peek() == expected else { throw malformed("not a value") }
            index += 1
        }
        return value
    }

    private mutating func number() throws(JSONParseError) -> JSONValue {
        let start = index
        if bytes[index] == UInt8(ascii: "-") {
            index += 1
            if try peek() == UInt8(ascii: "I") { return try word("Infinity", .number("-Infinity")) }
        }
        if try peek() == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if nextIs(".") {
            index += 1
            try digits()
        }
        if nextIs("e") || nextIs("E") {
            index += 1
            if nextIs("+") || nextIs("-") { index += 1 }
            try digits()
        }
        return .number(String(decoding: bytes[start..<index], as: UTF8.self))
    }

    private mutating func digits() throws(JSONParseError) {
        let start = index
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        while index < bytes.count, digits.contains(bytes[index]) { index += 1 }
        if index == start {
            _ = try peek()
            throw malformed("a digit is missing here")
        }
    }

    // MARK: Strings

    private mutating func string() throws(JSONParseError) -> String {
        index += 1
        var text: [UInt8] = []
        while true {
            let byte = try peek()
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                guard let string = String(validating: text, as: UTF8.self) else {
                    throw malformed("the text before this is not UTF-8")
                }
                return string
            case UInt8(ascii: "\\"): text.append(contentsOf: Array(String(try escape()).utf8))
            case 0..<0x20: throw malformed("a control character must be written as \\u00XX")
            default:
                text.append(byte)
                index += 1
            }
        }
    }

    private mutating func escape() throws(JSONParseError) -> Character {
        index += 1
        let byte = try peek()
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Character(Unicode.Scalar(byte))
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return Character(try escapedScalar())
        default: throw malformed("no such escape")
        }
    }

    private mutating func escapedScalar() throws(JSONParseError) -> Unicode.Scalar {
        var code = try fourHexDigits()
        if (0xD800..<0xDC00).contains(code) {
            for expected in [UInt8(ascii: "\\"), UInt8(ascii: "u")] {
                guard try peek() == expected else { throw malformed("half of a surrogate pair") }
                index += 1
            }
            let low = try fourHexDigits()
            guard (0xDC00..<0xE000).contains(low) else { throw malformed("half of a surrogate pair") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw malformed("half of a surrogate pair") }
        return scalar
    }

    private mutating func fourHexDigits() throws(JSONParseError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(Unicode.Scalar(try peek())).hexDigitValue else {
                throw malformed("four hexadecimal digits are missing here")
            }
            code = code << 4 | UInt32(digit)
            index += 1
        }
        return code
    }

    // MARK: Bytes

    private func peek() throws(JSONParseError) -> UInt8 {
        guard index < bytes.count else { throw .incomplete }
        return bytes[index]
    }

    private func nextIs(_ character: Unicode.Scalar) -> Bool {
        index < bytes.count && bytes[index] == UInt8(ascii: character)
    }

    private mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
    }

    private func malformed(_ message: String) -> JSONParseError {
        let before = bytes[..<min(index, bytes.count)]
        let lineStart = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return .malformed(
            message, line: before.count { $0 == 0x0A } + 1, column: before.count - lineStart + 1)
    }
}
