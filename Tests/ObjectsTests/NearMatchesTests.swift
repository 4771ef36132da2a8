import Testing

@testable import Objects

@Suite struct NearMatchesTests {
    private static let tags = [
        "production", "staging", "nightly-2026-11-18", "nightly-2026-11-19", "nightly-2026-11-20", "best",
        "Best",
        "baseline", "v2-release",
    ]

    @Test(
        arguments: [
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

    @Test func `distances within the limit are exact`() {
        var generator = SeededGenerator(state: 42)
        for _ in 0..<2000 {
            let words = (0..<2).map { _ in
                (0..<Int.random(in: 0...7, using: &generator)).map { _ in
                    UInt8.random(in: 97...99, using: &generator)
                }
            }
            let exact = plainDistance(words[0], words[1])
            for limit in 0...4 {
                let found = NearMatches.distance(words[0], words[1], limit: limit)
                if found != (exact <= limit ? exact : nil) {
                    Issue.record("\(words) within \(limit): \(String(describing: found)), expected \(exact)")
                }
            }
        }
    }

    @Test func `long and hostile names are compared in bounded time`() {
        let long = String(repeating: "ab", count: 100_000)
        let candidates = (0..<100).map { String(repeating: "ba", count: 1000) + "\($0)" }
        #expect(NearMatches.of(long, among: candidates).count <= 3)
    }

    /// The restricted Damerau-Levenshtein distance by its definition.
    private func plainDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var table = (0...a.count).map { i in (0...b.count).map { j in i == 0 ? j : i } }
        for i in 1..<(a.count + 1) {
            for j in 1..<(b.count + 1) {
                table[i][j] = min(
                    table[i - 1][j] + 1, table[i][j - 1] + 1,
                    table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
                }
            }
        }
        return table[a.count][b.count]
    }
}
