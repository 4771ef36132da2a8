import CCrypto

/// A SHA-256 digest: the name of a blob, of a tree node and of a version.
public struct Digest: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The 32 bytes as four big-endian words, so that hashing and comparing touch no heap.
    private let words: (UInt64, UInt64, UInt64, UInt64)

    public static let byteCount = 32

    /// - Parameter bytes: exactly 32 bytes; anything else gives nil.
    public init?(bytes: some Collection<UInt8>) {
        guard bytes.count == Digest.byteCount else { return nil }
        self =
            bytes.withContiguousStorageIfAvailable { Digest(words: UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes { Digest(words: $0) }
    }

    /// - Parameter bytes: exactly 32 bytes.
    fileprivate init(words bytes: UnsafeRawBufferPointer) {
        func word(_ index: Int) -> UInt64 {
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        }
        words = (word(0), word(1), word(2), word(3))
    }

    /// - Parameter hex: exactly 64 hexadecimal digits in either case; anything else gives nil.
    public init?(hex: String) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes: bytes)
    }

    public var bytes: [UInt8] { withBytes { Array($0) } }

    /// Runs `body` with the 32 bytes, without a copy of them on the heap.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        let ordered = (
            words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian
        )
        return withUnsafeBytes(of: ordered, body)
    }

    /// 64 lower-case hexadecimal digits, as `sha256sum` prints them.
    public var hex: String { Hex.encode(bytes) }

    /// The first 12 hexadecimal digits: enough to recognise a version by eye.
    public var short: String { String(hex.prefix(12)) }

    public var description: String { hex }

    public static func == (a: Digest, b: Digest) -> Bool { a.words == b.words }

    public static func < (a: Digest, b: Digest) -> Bool { a.words < b.words }

    public func hash(into hasher: inout Swift.Hasher) {
        // The bytes are uniform already; one word distinguishes them.
        hasher.combine(words.0)
    }
}

extension Digest {
    /// The digest of `bytes`.
    public static func of(_ bytes: [UInt8]) -> Digest {
        var hasher = DigestBuilder()
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish()
    }
}

/// Computes a ``Digest`` over bytes given piece by piece.
///
/// By the functions of libcrypto that go to the algorithm at once. OpenSSL 3 would have its users go through providers: to
/// load those takes 1.5 to 4 ms, which is as long as all else that a small command does. They cannot fail.
public struct DigestBuilder: ~Copyable {
    private var state = SHA256_CTX()

    public init() { SHA256_Init(&state) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        SHA256_Update(&state, bytes.baseAddress, bytes.count)
    }

    /// The digest of all that was given since the last call; the builder is then as new.
    public mutating func finish() -> Digest {
        let digest = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Digest.byteCount) { bytes in
            SHA256_Final(bytes.baseAddress, &state)
            return Digest(words: UnsafeRawBufferPointer(bytes))
        }
        SHA256_Init(&state)
        return digest
    }
}
