/// Something of Firn's that reads bytes it did not write, made ready for a fuzzer: any bytes may be given to it,
/// and it says which promise they break.
///
/// The targets are run by libFuzzer (`scripts/fuzz.sh`) and, over the corpus of what it found, by the tests.
public struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Also the name of its corpus directory.
    public let name: String
    /// The longest input worth trying.
    public let byteCountMax: Int
    private let body: @Sendable ([UInt8]) -> String?

    public var description: String { name }

    init(_ name: String, byteCountMax: Int = 4096, _ body: @escaping @Sendable ([UInt8]) -> String?) {
        self.name = name
        self.byteCountMax = byteCountMax
        self.body = body
    }

    /// What was promised and is not so for these bytes; nil where all is well. A trap is a broken promise, too.
    public func problem(with bytes: [UInt8]) -> String? { body(bytes) }

    public static let all: [FuzzTarget] = objects + stored + documents + words + archives
}

extension FuzzTarget {
    /// Several small ones in one: an input's first byte says which of them gets the others.
    static func choice(_ name: String, byteCountMax: Int = 4096, _ targets: [FuzzTarget]) -> FuzzTarget {
        FuzzTarget(name, byteCountMax: byteCountMax) { bytes in
            guard let first = bytes.first else { return nil }
            return targets[Int(first) % targets.count].problem(with: Array(bytes.dropFirst()))
        }
    }

    /// For what has exactly one encoding: bytes are refused, or are what the value encodes to.
    static func canonical<Value: Sendable, Failure: Error>(
        _ name: String, byteCountMax: Int = 4096,
        decode: @escaping @Sendable ([UInt8]) throws(Failure) -> Value,
        encode: @escaping @Sendable (Value) -> [UInt8]
    ) -> FuzzTarget {
        FuzzTarget(name, byteCountMax: byteCountMax) { bytes in
            guard let value = try? decode(bytes) else { return nil }
            return encode(value) == bytes ? nil : "\(name): accepted, but not canonical"
        }
    }

    /// For what may be written in many ways: bytes are refused, or give a value that is the same again after it
    /// was written and read.
    static func stable<Value: Equatable & Sendable, Failure: Error>(
        _ name: String, byteCountMax: Int = 4096,
        decode: @escaping @Sendable ([UInt8]) throws(Failure) -> Value,
        encode: @escaping @Sendable (Value) -> [UInt8]
    ) -> FuzzTarget {
        FuzzTarget(name, byteCountMax: byteCountMax) { bytes in
            guard let value = try? decode(bytes) else { return nil }
            let written = encode(value)
            guard let again = try? decode(written) else { return "\(name): does not read what it wrote" }
            return again == value ? nil : "\(name): another value after it was written and read"
        }
    }
}
