/// A JSON document (RFC 8259) as a value: what the tool prints with `--json`, what `.firn/` shows and takes, and
/// what the tool and a daemon say to each other.
///
/// Members keep their order, so that a document reads as it was written, and numbers keep their digits, so that
/// a parameter given as `3e-4` stays that.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The digits as they stand in the text; also `NaN`, `Infinity` and `-Infinity`, which RFC 8259 lacks and
    /// Python writes: who reads the document refuses them by the name of their member.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    public struct Member: Hashable, Sendable {
        public let key: String
        public let value: JSONValue

        public init(_ key: String, _ value: JSONValue) {
            self.key = key
            self.value = value
        }
    }
}

// MARK: Making

extension JSONValue {
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// - Parameter value: JSON has no number for what is not finite, so that becomes null.
    public static func decimal(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        let text = String(value)
        return .number(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }

    /// Null where there is nothing.
    public static func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    public static func texts(_ values: some Sequence<String>) -> JSONValue {
        .array(values.map { .string($0) })
    }

    /// Pairs without an order of their own come in order of their keys' bytes.
    public static func sorted(_ pairs: [String: JSONValue]) -> JSONValue {
        let sorted = pairs.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return .object(sorted.map { Member($0.key, $0.value) })
    }

    /// This object with `other`'s members after its own; other kinds of values have none.
    public func appending(_ other: JSONValue) -> JSONValue { .object(members + other.members) }
}

extension JSONValue: ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }

    public init(arrayLiteral elements: JSONValue...) {
        self = .array(elements)
    }

    public init(stringLiteral value: String) {
        self = .string(value)
    }
}

// MARK: Reading

extension JSONValue {
    /// The member `key` of an object; null where there is none.
    public subscript(key: String) -> JSONValue { members.first { $0.key == key }?.value ?? .null }

    public var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    public var elements: [JSONValue] {
        if case .array(let elements) = self { elements } else { [] }
    }

    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    public var bool: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// nil for a number with a fraction or beyond 64 bits.
    public var integer: Int? {
        if case .number(let digits) = self { Int(digits) } else { nil }
    }

    /// Infinite for a number too large for a `Double`; NaN for `NaN`.
    public var decimal: Double? {
        if case .number(let digits) = self { Double(digits) } else { nil }
    }

    public var isNull: Bool { self == .null }
}
