public import Objects
public import Store

extension Metadata {
    /// Reads `{"params": {…}, "metrics": {…}, "meta": {…}}`, each part optional.
    ///
    /// - Throws: ``StoreError`` `.invalidInput`, naming the key, for any other key and for values that are
    ///   neither text, number nor true or false; for a metric that is not a finite number.
    public init(json: JSONValue) throws(StoreError) {
        var fields = try JSONFields(json, of: "metadata document")
        try self.init(from: &fields)
        try fields.end()
    }

    init(from fields: inout JSONFields) throws(StoreError) {
        self.init()
        for member in try fields.object("params") { params[member.key] = try Metadata.text(member, "params") }
        for member in try fields.object("metrics") {
            guard let value = member.value.decimal else {
                throw StoreError(
                    .invalidInput, "the metric is not a number", subject: member.key,
                    hint: "metrics are numbers without quotes; put anything else into params or meta")
            }
            metrics[member.key] = value
        }
        for member in try fields.object("meta") { meta[member.key] = try Metadata.text(member, "meta") }
        do throws(ObjectError) { try validate() } catch { throw StoreError(error) }
    }

    private static func text(_ member: JSONValue.Member, _ part: String) throws(StoreError) -> String {
        switch member.value {
        case .string(let text): return text
        case .number(let digits): return digits
        case .bool(let value): return value ? "true" : "false"
        case .null, .array, .object:
            throw StoreError(
                .invalidInput, "the value is neither text, number nor true or false",
                subject: "\(part).\(member.key)",
                hint: "write nested values to a file in staging/, or give them as text")
        }
    }

    /// The members `params`, `metrics` and `meta`, as ``init(json:)`` reads them.
    public var json: JSONValue {
        [
            "params": .sorted(params.mapValues { .string($0) }),
            "metrics": .sorted(metrics.mapValues { .decimal($0) }),
            "meta": .sorted(meta.mapValues { .string($0) }),
        ]
    }
}
