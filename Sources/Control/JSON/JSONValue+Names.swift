internal import Foundation
public import Objects

// File names are bytes and JSON is text, so names that are not UTF-8 need a second form.
extension JSONValue {
    /// A path as a message of the control protocol carries it: text, or `{"base64": …}` where it is not UTF-8.
    static func exact(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return ["base64": .string(Data(bytes).base64EncodedString())]
    }

    /// The inverse of ``exact(_:)``; nil for anything else.
    var exactBytes: [UInt8]? {
        if let string { return Array(string.utf8) }
        return self["base64"].string.flatMap { Data(base64Encoded: $0) }.map { Array($0) }
    }

    /// A path as documents for people and programs show it: `path` with U+FFFD for what is not UTF-8, and only
    /// then also `path_base64` with its exact bytes.
    public static func path(_ bytes: [UInt8]) -> JSONValue {
        if let text = String(validating: bytes, as: UTF8.self) { return ["path": .string(text)] }
        return [
            "path": .string(String(decoding: bytes, as: UTF8.self)),
            "path_base64": .string(Data(bytes).base64EncodedString()),
        ]
    }

    public static func path(_ path: TreePath) -> JSONValue { .path(path.bytes) }

    /// RFC 3339 in UTC with nine digits of the second: `2026-11-20T09:30:05.000000000Z`.
    public static func time(_ time: Timestamp) -> JSONValue {
        let digits = String(time.subsecond)
        let fraction = String(repeating: "0", count: 9 - digits.count) + digits
        return .string("\(CivilDate(time).timeText.dropLast()).\(fraction)Z")
    }
}
