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
/// A libcrypto context cannot fail on SHA-256 short of running out of memory, so its failures trap.
public struct DigestBuilder: ~Copyable {
    private let context: OpaquePointer

    /// `EVP_MD_fetch` walks the provider list; once for the process is enough.
    private nonisolated(unsafe) static let algorithm: OpaquePointer = {
        // The machine's settings (openssl.cnf) are of no account to it, and reading them takes longer than all else here.
        OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_LOAD_CONFIG), nil)
        guard let md = EVP_MD_fetch(nil, "SHA256", nil) else {
            preconditionFailure("libcrypto offers no SHA-256")
        }
        return md
    }()

    public init() {
        guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
        self.context = context
        restart()
    }

    deinit { EVP_MD_CTX_free(context) }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 else {
            preconditionFailure("SHA-256 update failed")
        }
    }

    /// The digest of all that was given since the last call; the builder is then as new.
    public mutating func finish() -> Digest {
        let digest = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Digest.byteCount) { bytes in
            guard EVP_DigestFinal_ex(context, bytes.baseAddress, nil) == 1 else {
                preconditionFailure("SHA-256 final failed")
            }
            return Digest(words: UnsafeRawBufferPointer(bytes))
        }
        restart()
        return digest
    }

    private func restart() {
        guard EVP_DigestInit_ex2(context, DigestBuilder.algorithm, nil) == 1 else {
            preconditionFailure("SHA-256 init failed")
        }
    }
}
