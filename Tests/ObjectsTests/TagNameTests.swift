import Objects
import Testing

@Suite struct TagNameTests {
    @Test(arguments: [
        "a", "_", "nightly-2026-11-20", "2026-11-20", "2026-11-20T12", "v1.0", "v42a", "1.0", "beef",
        "deadbeef",
        "lr=3e-4", "mara@gpu3", "a+b", "LATER", "latest2", "by-dates", "V", "v", "vv42", "12e4", "_42",
        String(repeating: "x", count: 128),
    ])
    func `a name of plain characters is a tag`(text: String) throws {
        #expect(try TagName(text).text == text)
    }

    @Test(arguments: ["0", "42", "000042", "20261120", "v42", "v0", "v000042", "V42"])
    func `a tag cannot shadow a version number`(text: String) {
        expectRefused(text, "a tag cannot shadow a version number")
    }

    @Test(arguments: ["latest", "by-date", "Latest", "BY-DATE"])
    func `a tag cannot be what versions has already`(text: String) {
        expectRefused(text, "'\(text)' has a meaning of its own")
    }

    @Test(arguments: [".", "..", ".hidden", "-d", "--force", "@2026-11-20", "+a", "=a"])
    func `a tag begins with a letter a digit or an underscore`(text: String) {
        expectRefused(text, "a tag cannot begin with '\(text.prefix(1))'")
    }

    @Test(arguments: [
        "a/b", "a b", "a~1", "a:b", "a\n", "a\0", "*", "a?", "é", "a\u{301}", "日本", "a\\", "'a'", "$a", "a,b",
        "#1",
        "a%20",
    ])
    func `a tag holds no character that a path or a shell gives a meaning`(text: String) {
        expectRefused(text, "the tag holds a character that no tag may")
    }

    @Test func `a tag is neither empty nor longer than 128 characters nor a range`() {
        expectRefused("", "a tag cannot be empty")
        expectRefused(String(repeating: "x", count: 129), "the tag has 129 bytes, more than 128")
        expectRefused("a..b", "a tag cannot hold '..'")
    }

    @Test func `tags are in the order of their bytes`() throws {
        let names = ["A", "Z", "_", "a", "a-b", "a.b", "ab"]
        #expect(try names.reversed().map { try TagName($0) }.sorted().map(\.text) == names)
    }

    private func expectRefused(
        _ text: String, _ message: String, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let error = #expect(throws: ObjectError.self, sourceLocation: sourceLocation) { try TagName(text) }
        #expect(error?.code == .invalidName, sourceLocation: sourceLocation)
        #expect(error?.message == message, sourceLocation: sourceLocation)
        #expect(error?.subject == text, sourceLocation: sourceLocation)
        #expect(error?.hint.hasPrefix("a tag has 1 to 128") == true, sourceLocation: sourceLocation)
    }
}
