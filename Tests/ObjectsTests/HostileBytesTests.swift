import Objects
import Testing

/// Stored bytes are never trusted: whatever is done to them, decoding throws `.malformed` or gives an object
/// whose canonical encoding is exactly those bytes.
@Suite struct HostileBytesTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let bytes: [UInt8]
        let reencode: @Sendable ([UInt8]) throws(ObjectError) -> [UInt8]
    }

    static let cases =
        [
            ("empty", TreeNode.empty), ("one file", Sample.oneFile), ("every kind", Sample.everyKind),
            ("inner", Sample.inner), ("wide times", Sample.wideTimes),
        ]
        .map { name, node in
            Case(testDescription: name, bytes: node.encoded()) { bytes throws(ObjectError) in
                try TreeNode(decoding: bytes).encoded()
            }
        }
        + [
            ("first manifest", Sample.firstManifest), ("full manifest", Sample.fullManifest),
            ("wide manifest", Sample.wideManifest),
        ].map { name, manifest in
            Case(testDescription: name, bytes: manifest.encoded()) { bytes throws(ObjectError) in
                try Manifest(decoding: bytes).encoded()
            }
        }

    @Test(arguments: cases)
    func `an object cut short anywhere is refused`(sample: Case) {
        for count in sample.bytes.indices {
            #expect(throws: ObjectError.self) { try sample.reencode(Array(sample.bytes.prefix(count))) }
        }
    }

    @Test(arguments: cases)
    func `a byte added at the end is refused`(sample: Case) {
        for byte in 0...UInt8.max {
            #expect(throws: ObjectError.self) { try sample.reencode(sample.bytes + [byte]) }
        }
    }

    @Test(arguments: cases)
    func `any change of any byte is refused or canonical`(sample: Case) {
        for index in sample.bytes.indices {
            for change: UInt8 in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x1f, 0xff] {
                var bytes = sample.bytes
                bytes[index] ^= change
                check(bytes, sample)
            }
        }
    }

    @Test(arguments: cases)
    func `any byte left out or doubled is refused or canonical`(sample: Case) {
        for index in sample.bytes.indices {
            var shorter = sample.bytes
            shorter.remove(at: index)
            check(shorter, sample)
            var longer = sample.bytes
            longer.insert(longer[index], at: index)
            check(longer, sample)
        }
    }

    @Test func `random bytes after a plausible beginning are refused or canonical`() {
        var generator = SeededGenerator(state: 20_261_120)
        let sample = HostileBytesTests.cases[2]
        for _ in 0..<20_000 {
            let kept = Int.random(in: 0..<sample.bytes.count, using: &generator)
            let length = Int.random(in: 0...64, using: &generator)
            let tail = (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) }
            check(Array(sample.bytes.prefix(kept)) + tail, sample)
        }
    }

    private func check(_ bytes: [UInt8], _ sample: Case) {
        do {
            let again = try sample.reencode(bytes)
            if again != bytes { Issue.record("accepted but not canonical: \(Hex.encode(bytes))") }
        } catch {
            if error.code != .malformed { Issue.record("\(error.code) for \(Hex.encode(bytes))") }
        }
    }
}

/// SplitMix64: the same numbers on every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
