import Objects
import Testing

@Suite struct VersionSelectorTests {
    /// 2026-11-20T00:00:00Z
    private static let day: Int64 = 1_795_132_800

    @Test(
        arguments: [
            ("latest", .latest, 0),
            ("latest~0", .latest, 0),
            ("latest~2", .latest, 2),
            ("42", .number(VersionNumber(42)), 0),
            ("0042", .number(VersionNumber(42)), 0),
            ("v42", .number(VersionNumber(42)), 0),
            ("v000042", .number(VersionNumber(42)), 0),
            ("v42~10", .number(VersionNumber(42)), 10),
            ("9223372036854775807", .number(VersionNumber(.max)), 0),
            ("9223372036854775808", .name("9223372036854775808"), 0),
            ("nightly-2026-11-20", .name("nightly-2026-11-20"), 0),
            ("best~1", .name("best"), 1),
            ("best~999999999", .name("best"), 999_999_999),
            ("beef", .name("beef"), 0),
            ("1e4f", .name("1e4f"), 0),
            ("V", .name("V"), 0),
            ("LATER", .name("LATER"), 0),
            ("@2026-11-20", .atTime(end: Timestamp(seconds: day + 86_400, nanoseconds: 0)), 0),
            ("@2026-11-20~1", .atTime(end: Timestamp(seconds: day + 86_400, nanoseconds: 0)), 1),
            ("@2026-11-20T12:00:00Z", .atTime(end: Timestamp(seconds: day + 43_201, nanoseconds: 0)), 0),
            ("@1970-01-01", .atTime(end: Timestamp(seconds: 86_400, nanoseconds: 0)), 0),
            ("@1969-12-31T23:59:59Z", .atTime(end: Timestamp(nanoseconds: 0)), 0),
            ("@9999-12-31", .atTime(end: Timestamp(seconds: 253_402_300_800, nanoseconds: 0)), 0),
        ] as [(String, VersionSelector.Base, Int)])
    func `a version is read as it is meant`(text: String, base: VersionSelector.Base, back: Int) throws {
        #expect(try VersionSelector.parse(text) == VersionSelector(base, back: back))
    }

    @Test(arguments: [
        "", "~", "~1", "latest~", "latest~~", "latest~1~1", "latest~-1", "latest~+1", "latest~x", "latest~1 ",
        "latest~1000000000", "latest^", "a b", " 42", "-1", "+1", "@", "@latest", "@2026", "@2026-11",
        "@2026-11-31",
        "@2026-13-01", "@2027-02-29", "@2026-11-20T12:00:00", "@2026-11-20T12:00:00+01:00",
        "@2026-11-20T24:00:00Z",
        "@2026-11-20 12:00:00Z", "@2026-1-2", "@２０２６-11-20", "by-date", "Latest", "v99999999999999999999",
        ".hidden", "..", "a/b", "é", "a..b", "lost+found\n", "\0",
    ])
    func `what no version could be called is refused`(text: String) {
        let error = #expect(throws: ObjectError.self) { try VersionSelector.parse(text) }
        #expect(error?.code == .invalidName)
        #expect(error?.subject == text)
        #expect(error?.hint.contains("a version is") == true)
    }

    @Test func `every tag is a selector by itself`() throws {
        for text in ["a", "_", "mara@gpu3", "lr=3e-4", "v1.0", String(repeating: "x", count: 128)] {
            #expect(try VersionSelector.parse(TagName(text).text).base == .name(text))
        }
    }

    @Test(
        arguments: [
            ("beef", "beef"), ("BEEF", "beef"), ("beef0", "beef0"), ("bee", nil), ("beeg", nil),
            ("latest", nil),
            ("1234", nil), (String(repeating: "a", count: 64), String(repeating: "a", count: 64)),
            (String(repeating: "a", count: 65), nil),
            // More digits than a number has.
            ("12345678901234567890", "12345678901234567890"),
        ] as [(String, String?)])
    func `four to 64 hexadecimal digits may begin a digest`(text: String, prefix: String?) throws {
        #expect(try VersionSelector.parse(text).digestPrefix == prefix)
    }

    @Test(arguments: [
        ("42", "42", ""), ("42:", "42", ""), ("42:/", "42", ""), ("latest~1:a/b", "latest~1", "a/b"),
        ("best:7:8", "best", "7:8"), ("@2026-11-20:logs", "@2026-11-20", "logs"),
        ("@2026-11-20T12:00:00Z", "@2026-11-20T12:00:00Z", ""),
        ("@2026-11-20T12:00:00Z:logs/a:b", "@2026-11-20T12:00:00Z", "logs/a:b"),
        ("@2026-11-20T12:00:00Z~2:Zoo", "@2026-11-20T12:00:00Z~2", "Zoo"),
    ])
    func `a path follows the first colon that is not of a time`(
        text: String, selector: String, path: String
    ) throws {
        let parsed = try VersionSelector.parseWithPath(text)
        #expect(try parsed.selector == VersionSelector.parse(selector))
        #expect(parsed.path.display == path)
    }

    @Test(arguments: [":a", "42:..", "42:a/../b", "a b:c", "@2026-11-20T12:00:00", "@2026-11-20T:x"])
    func `a wrong version or path is refused`(text: String) {
        let error = #expect(throws: ObjectError.self) { try VersionSelector.parseWithPath(text) }
        #expect(error?.code == .invalidName)
    }
}
