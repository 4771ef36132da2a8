import Objects
import Testing

@Suite struct DigestTests {
    /// FIPS 180-4 examples and the NIST long vector, as `sha256sum` prints them.
    @Test(arguments: [
        ("", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        ("a", 1_000_000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func `digests are those of SHA-256`(text: String, count: Int, hex: String) {
        let bytes = Array(repeatElement(Array(text.utf8), count: count).joined())
        #expect(Digest.of(bytes).hex == hex)
    }

    @Test(arguments: [1, 3, 63, 64, 65, 4096])
    func `pieces give the digest of the whole`(size: Int) {
        let bytes = (0..<10_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var builder = DigestBuilder()
        for start in stride(from: 0, to: bytes.count, by: size) {
            bytes[start..<min(start + size, bytes.count)].withUnsafeBytes { builder.update($0) }
        }
        #expect(builder.finish() == Digest.of(bytes))
    }

    @Test func `a finished builder is as new`() {
        var builder = DigestBuilder()
        Array("abc".utf8).withUnsafeBytes { builder.update($0) }
        _ = builder.finish()
        #expect(builder.finish() == Digest.of([]))
    }

    @Test func `bytes and hex round trip`() throws {
        let digest = Digest.of([1, 2, 3])
        #expect(Digest(bytes: digest.bytes) == digest)
        #expect(Digest(hex: digest.hex) == digest)
        #expect(Digest(hex: digest.hex.uppercased()) == digest)
        #expect(digest.bytes.count == Digest.byteCount)
        #expect(digest.short == String(digest.hex.prefix(12)))
        #expect("\(digest)" == digest.hex)
    }

    @Test(arguments: [
        "", "ab", String(repeating: "a", count: 63), String(repeating: "a", count: 65),
        String(repeating: "g", count: 64), String(repeating: "é", count: 32),
    ])
    func `anything but 64 hexadecimal digits is no digest`(text: String) {
        #expect(Digest(hex: text) == nil)
    }

    @Test func `anything but 32 bytes is no digest`() {
        for count in [0, 31, 33, 64] { #expect(Digest(bytes: [UInt8](repeating: 0, count: count)) == nil) }
    }

    @Test func `digests are in the order of their bytes`() {
        let digests = (0..<200).map { Digest.of([UInt8($0)]) }
        #expect(digests.sorted().map(\.hex) == digests.map(\.hex).sorted())
    }
}

@Suite struct HexTests {
    @Test func `every byte round trips`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        #expect(Hex.decode(Hex.encode(bytes).uppercased()) == bytes)
        #expect(Hex.encode([0x00, 0x0f, 0xf0, 0xff]) == "000ff0ff")
        #expect(Hex.decode("") == [])
    }

    @Test(arguments: ["a", "abc", "0g", "g0", "0x12", " 12", "1 ", "+1", "-1", "é", "１２"])
    func `anything but pairs of digits is refused`(text: String) {
        #expect(Hex.decode(text) == nil)
    }
}
