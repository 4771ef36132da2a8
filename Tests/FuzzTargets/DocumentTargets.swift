import Control
import Objects
import Store

// JSON that programs write: into `.firn/commit`, and to the control socket.
extension FuzzTarget {
    static let documents: [FuzzTarget] = [
        FuzzTarget("json", byteCountMax: 8192, problemWithJSON),
        .stable("commit", byteCountMax: 8192) { bytes throws(any Error) in
            try CommitRequest(json: try JSONParser.parse(bytes), allowsAuthor: true)
        } encode: {
            Array($0.json.line.utf8)
        },
        .choice(
            "message", byteCountMax: 8192,
            [
                .stable("request") { bytes throws(StoreError) in
                    try ControlRequest(line: bytes)
                } encode: {
                    Array($0.line.utf8)
                },
                // What is beyond RFC 8259 is read and never written, so what a reply says may be so once only.
                FuzzTarget("reply") { bytes in
                    guard let reply = try? ControlReply(line: bytes) else { return nil }
                    let line = reply.line
                    guard let again = try? ControlReply(line: Array(line.utf8)) else {
                        return "reply: does not read what it wrote"
                    }
                    return again.line == line ? nil : "reply: another value after it was written and read"
                },
            ]),
    ]

    @Sendable
    private static func problemWithJSON(_ bytes: [UInt8]) -> String? {
        guard let value = try? JSONParser.parse(bytes) else { return nil }
        for text in [value.line, value.indented] {
            guard let again = try? JSONParser.parse(Array(text.utf8)) else {
                return "json: does not read what it wrote"
            }
            guard again.line == value.line else { return "json: another value after it was written and read" }
        }
        guard case .object = value, let end = bytes.lastIndex(of: UInt8(ascii: "}")) else { return nil }
        // `.firn/commit` goes by this: the beginning of an object is neither whole nor wrong.
        for count in Set([1, end / 3, end / 2, end]) where count <= end {
            do throws(JSONParseError) {
                _ = try JSONParser.parse(Array(bytes.prefix(count)))
                return "json: the first \(count) bytes of an object are taken for a whole one"
            } catch {
                if error != .incomplete { return "json: the first \(count) bytes of an object are refused" }
            }
        }
        return nil
    }
}
