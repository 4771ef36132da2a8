/// What the caller says of a version: parameters, metrics, and anything else.
public struct Metadata: Hashable, Sendable {
    /// Inputs of the run (`lr` = `3e-4`); values are text, as they were given.
    public var params: [String: String]
    /// Results of the run; finite numbers.
    public var metrics: [String: Double]
    /// Free keys and values.
    public var meta: [String: String]

    /// Keys have 1 to 250 bytes.
    public static let keyByteCountMax = 250
    /// A value has at most 64 KiB; longer things are files.
    public static let valueByteCountMax = 65_536

    public init(
        params: [String: String] = [:], metrics: [String: Double] = [:], meta: [String: String] = [:]
    ) {
        self.params = params
        self.metrics = metrics
        self.meta = meta
    }

    public var isEmpty: Bool { params.isEmpty && metrics.isEmpty && meta.isEmpty }

    /// Later values win.
    public func merging(_ other: Metadata) -> Metadata {
        Metadata(
            params: params.merging(other.params) { $1 }, metrics: metrics.merging(other.metrics) { $1 },
            meta: meta.merging(other.meta) { $1 })
    }

    /// - Throws: ``ObjectError`` `.invalidName` for a key, `.invalidNumber` for a metric that is not finite.
    public func validate() throws(ObjectError) {
        for (key, value) in params { try Metadata.validate(key, value, what: "parameter") }
        for (key, value) in meta { try Metadata.validate(key, value, what: "key") }
        for (key, value) in metrics {
            try Metadata.validate(key, "", what: "metric")
            guard value.isFinite else {
                throw ObjectError(
                    .invalidNumber, "the metric is \(value), which cannot be compared or plotted",
                    subject: key,
                    hint: "leave the metric out, or record the fact with --meta \(key)=\(value)")
            }
        }
    }

    public static func validate(_ key: String, _ value: String, what: String) throws(ObjectError) {
        guard !key.isEmpty, key.utf8.count <= keyByteCountMax,
            !key.utf8.contains(where: { $0 < 32 || $0 == 127 })
        else {
            throw ObjectError(
                .invalidName, "not a valid \(what) name", subject: key,
                hint: "a name has 1 to \(keyByteCountMax) bytes and no control characters")
        }
        guard value.utf8.count <= valueByteCountMax else {
            throw ObjectError(
                .invalidName, "the value has \(value.utf8.count) bytes, more than \(valueByteCountMax)",
                subject: key, hint: "write long values to a file in staging/")
        }
    }

    func encode(into writer: inout CBORWriter) {
        writer.array(count: 3)
        Metadata.encode(params, into: &writer) { $0.text($1) }
        // The bit pattern, big-endian: exact, and without a float type in the encoding.
        Metadata.encode(metrics, into: &writer) { writer, value in
            writer.byteString(withUnsafeBytes(of: value.bitPattern.bigEndian) { Array($0) })
        }
        Metadata.encode(meta, into: &writer) { $0.text($1) }
    }

    init(from reader: inout CBORReader) throws(ObjectError) {
        try reader.array(of: 3)
        params = try Metadata.decode(from: &reader) { reader throws(ObjectError) in try reader.text() }
        metrics = try Metadata.decode(from: &reader) { reader throws(ObjectError) in
            let bytes = try reader.byteString()
            guard bytes.count == 8 else { throw reader.malformed("a metric has 8 bytes") }
            let value = Double(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
            guard value.isFinite else { throw reader.malformed("a metric is not finite") }
            return value
        }
        meta = try Metadata.decode(from: &reader) { reader throws(ObjectError) in try reader.text() }
    }

    private static func encode<Value>(
        _ pairs: [String: Value], into writer: inout CBORWriter, _ value: (inout CBORWriter, Value) -> Void
    ) {
        writer.array(count: pairs.count)
        for (key, element) in pairs.sorted(by: { precedes($0.key, $1.key) }) {
            writer.array(count: 2)
            writer.text(key)
            value(&writer, element)
        }
    }

    private static func decode<Value>(
        from reader: inout CBORReader, _ value: (inout CBORReader) throws(ObjectError) -> Value
    ) throws(ObjectError) -> [String: Value] {
        var pairs: [String: Value] = [:]
        var last: String?
        for _ in 0..<(try reader.array()) {
            try reader.array(of: 2)
            let key = try reader.text()
            if let last, !precedes(last, key) { throw reader.malformed("keys out of order") }
            // Different bytes can be one String: Swift compares text by Unicode canonical equivalence.
            guard pairs.updateValue(try value(&reader), forKey: key) == nil else {
                throw reader.malformed("keys that differ only in Unicode normal form")
            }
            last = key
        }
        return pairs
    }

    /// Byte order: Swift's own order of strings is by Unicode normal forms and may change.
    private static func precedes(_ a: String, _ b: String) -> Bool {
        a.utf8.lexicographicallyPrecedes(b.utf8)
    }
}
