import Objects
import Testing

@Suite struct NearMatchesTests {
    private static let tags = [
        "production", "staging", "nightly-2026-11-18", "nightly-2026-11-19", "nightly-2026-11-20", "best", "Best",
        "baseline", "v2-release",
    ]

    @Test(arguments: [
        ("prodution", ["production"]),
        ("prodcution", ["production"]),
        ("PRODUCTION", ["production"]),
        ("prod", ["production"]),
        ("stagin", ["staging"]),
        ("bset", ["Best", "best"]),
        ("nightly-2026-11-21", ["nightly-2026-11-20", "nightly-2026-11-18", "nightly-2026-11-19"]),
        ("nightly", ["nightly-2026-11-18", "nightly-2026-11-19", "nightly-2026-11-20"]),
        ("v2-release-candidate", ["v2-release"]),
        ("zzz", []),
        ("x", []),
        ("", []),
    ] as [(String, [String])])
    func `the nearest names are found`(wrong: String, expected: [String]) {
        let found = NearMatches.of(wrong, among: NearMatchesTests.tags)
        #expect(Set(found) == Set(expected))
        #expect(found.count <= NearMatches.countMax)
    }

    @Test func `a slip comes before a beginning and equally near names come in order`() {
        #expect(
            NearMatches.of("run-1", among: ["run-1-long-name", "run-3", "run-2", "RUN-1", "run-1"])
                == ["RUN-1", "run-2", "run-3"])
        #expect(NearMatches.of("nightl", among: ["nightly-a", "nightly"]) == ["nightly", "nightly-a"])
    }

    @Test func `a short name has few neighbours`() {
        #expect(NearMatches.of("ab", among: ["cd", "ac", "abcdef", "b"]) == ["ac", "b", "abcdef"])
        #expect(NearMatches.of("a", among: ["alpha"]).isEmpty)
    }

    @Test func `long and hostile names are compared in bounded time`() {
        let long = String(repeating: "ab", count: 1_000_000)
        let candidates = (0..<100).map { String(repeating: "ba", count: 100_000) + "\($0)" }
        #expect(NearMatches.of(long, among: candidates).count <= 3)
    }
}
