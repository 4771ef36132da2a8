import Objects
import Testing

@Suite struct MetadataTests {
    @Test(arguments: [Double.nan, .signalingNaN, .infinity, -.infinity])
    func `a metric that is not finite is refused`(value: Double) {
        let error = #expect(throws: ObjectError.self) { try Metadata(metrics: ["auc": value]).validate() }
        #expect(error?.code == .invalidNumber)
        #expect(error?.subject == "auc")
        #expect(error?.hint.contains("--meta auc=") == true)
    }

    @Test(arguments: [0, -0.0, Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude, -1.5])
    func `every finite metric is accepted`(value: Double) throws {
        try Metadata(metrics: ["m": value]).validate()
    }

    @Test(arguments: ["", "a\nb", "\0", "tab\t", "\u{7f}", String(repeating: "k", count: 251)])
    func `a key that is empty too long or holds control characters is refused`(key: String) {
        for metadata in [
            Metadata(params: [key: "1"]), Metadata(metrics: [key: 1]), Metadata(meta: [key: "1"]),
        ] {
            let error = #expect(throws: ObjectError.self) { try metadata.validate() }
            #expect(error?.code == .invalidName)
        }
    }

    @Test(arguments: ["a", "learning rate", "optim/lr", "é", String(repeating: "k", count: 250)])
    func `any other key is accepted`(key: String) throws {
        try Metadata(params: [key: ""], metrics: [key: 1], meta: [key: "two\nlines"]).validate()
    }

    @Test func `a value has at most 64 KiB`() throws {
        try Metadata(params: ["a": String(repeating: "x", count: 65_536)]).validate()
        let error = #expect(throws: ObjectError.self) {
            try Metadata(meta: ["a": String(repeating: "x", count: 65_537)]).validate()
        }
        #expect(error?.code == .invalidName)
        #expect(error?.subject == "a")
    }

    @Test func `later values win when merged`() {
        let merged = Metadata(params: ["a": "1", "b": "1"], metrics: ["m": 1], meta: ["k": "1"])
            .merging(Metadata(params: ["b": "2"], metrics: ["m": 2, "n": 3]))
        #expect(
            merged == Metadata(params: ["a": "1", "b": "2"], metrics: ["m": 2, "n": 3], meta: ["k": "1"]))
        #expect(!merged.isEmpty)
        #expect(Metadata().isEmpty)
    }

    @Test func `a stored metric that is not finite is refused`() throws {
        var manifest = Sample.firstManifest
        manifest.metadata.metrics = ["m": .infinity]
        let bytes = manifest.encoded()
        #expect(throws: ObjectError.self) { try Manifest(decoding: bytes) }
    }

    @Test func `stored keys that Swift takes for the same text are refused and never dropped`() throws {
        // Two params whose keys are the decomposed and the composed form of one letter.
        var manifest = Sample.firstManifest
        manifest.metadata.params = ["e\u{301}": "1", "z": "2"]
        let bytes = manifest.encoded()
        let other = [UInt8](hexLiteral: "82417a4132")
        let start = try #require(bytes.indices.first { bytes[$0...].starts(with: other) })
        let forged = bytes[..<start] + [UInt8](hexLiteral: "8242c3a94132") + bytes[(start + other.count)...]
        let error = #expect(throws: ObjectError.self) { try Manifest(decoding: Array(forged)) }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("normal form") == true)
    }
}

extension [UInt8] {
    fileprivate init(hexLiteral text: String) { self = Hex.decode(text) ?? [] }
}
