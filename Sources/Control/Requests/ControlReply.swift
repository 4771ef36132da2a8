public import Store

/// One line of a daemon's answer: any number of progress reports, then a result or an error.
public enum ControlReply: Hashable, Sendable {
    /// How far long work has come: what it does, and how many of how many units are done.
    case progress(phase: String, done: UInt64, total: UInt64)
    case result(JSONValue)
    case failure(JSONValue)

    /// The message, without the newline that ends it.
    public var line: String {
        switch self {
        case .progress(let phase, let done, let total):
            let fields: JSONValue = [
                "phase": .string(phase), "done": .integer(done), "total": .integer(total),
            ]
            return JSONValue.object([.init("progress", fields)]).line
        case .result(let value): return JSONValue.object([.init("result", value)]).line
        case .failure(let error): return JSONValue.object([.init("error", error)]).line
        }
    }

    /// - Throws: ``StoreError`` when the line is no answer.
    public init(line: [UInt8]) throws(StoreError) {
        let json: JSONValue
        do throws(JSONParseError) { json = try JSONParser.parse(line) } catch {
            throw ControlReply.unreadable
        }
        guard let member = json.members.first, json.members.count == 1 else {
            throw ControlReply.unreadable
        }
        switch member.key {
        case "progress":
            guard let done = member.value["done"].integer, let total = member.value["total"].integer else {
                throw ControlReply.unreadable
            }
            self = .progress(
                phase: member.value["phase"].string ?? "", done: UInt64(clamping: done),
                total: UInt64(clamping: total))
        case "result": self = .result(member.value)
        case "error": self = .failure(member.value)
        default: throw ControlReply.unreadable
        }
    }

    static let unreadable = StoreError(
        .invalidInput, "the daemon's answer cannot be read", subject: "control.sock",
        hint: "unmount and mount again, so that both are of the same version of firn")
}
