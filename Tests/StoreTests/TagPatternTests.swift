import Objects
import Store
import Testing

@Suite struct TagPatternTests {
    @Test(arguments: [
        ("best", ["best"], ["Best", "bes", "best1", ""]),
        ("nightly-*", ["nightly-", "nightly-2026-11-20"], ["nightly", "my-nightly-1"]),
        ("*", ["a", ""], []),
        ("*-rc?", ["v1-rc1", "-rc9", "a-rc1-rc2"], ["v1-rc", "v1-rc10"]),
        ("a*b*c", ["abc", "aXbYc", "abbcc"], ["ab", "acb", "abcd"]),
        ("**a**", ["a", "bab"], ["b", ""]),
        ("?", ["a"], ["", "ab"]),
    ])
    func `stars stand for any characters and question marks for one`(
        pattern: String, matching: [String], others: [String]
    ) throws {
        let pattern = try TagPattern(pattern)
        for tag in matching { #expect(pattern.matches(tag), "\(tag)") }
        for tag in others { #expect(!pattern.matches(tag), "\(tag)") }
    }

    @Test(arguments: ["", "a b", "a/b", "[ab]", "é", "a,b", String(repeating: "*", count: 129)])
    func `a pattern that no tag can match is refused`(text: String) {
        let error = #expect(throws: ObjectError.self) { try TagPattern(text) }
        #expect(error?.code == .invalidName)
    }

    @Test func `many stars take no longer than the product of the lengths`() throws {
        let pattern = try TagPattern(String(repeating: "*a", count: 60) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 128)))
    }

    @Test func `a pattern of a tag matches that tag only`() throws {
        let pattern = TagPattern(try TagName("a.b"))
        #expect(pattern.matches("a.b"))
        #expect(!pattern.matches("aXb"))
    }
}
