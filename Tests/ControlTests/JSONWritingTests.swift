import Control
import Objects
import Testing

@Suite struct JSONWritingTests {
    @Test func `a line has no spaces and no newline`() {
        let value: JSONValue = ["b": 1.json, "a": ["x\n", .null, .bool(true)], "c": [:]]
        #expect(value.line == #"{"b":1,"a":["x\n",null,true],"c":{}}"#)
    }

    @Test func `members keep their order and are indented`() {
        let value: JSONValue = ["b": 1.json, "a": ["x", "y"], "c": [], "d": ["e": .null]]
        #expect(
            value.indented == """
                {
                  "b": 1,
                  "a": [
                    "x",
                    "y"
                  ],
                  "c": [],
                  "d": {
                    "e": null
                  }
                }
                """)
    }

    @Test func `text survives, and what steers a terminal is escaped`() throws {
        let text = "\"\\/\u{0}\u{1b}[2J\u{7f}\u{85}\u{2028}é€😀\r\n\t"
        let line = JSONValue.string(text).line
        #expect(!line.unicodeScalars.contains { $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) })
        #expect(try JSONParser.parse(Array(line.utf8)) == .string(text))
    }

    @Test func `decimals are short and exact`() {
        #expect(JSONValue.decimal(0.93).line == "0.93")
        #expect(JSONValue.decimal(12).line == "12")
        #expect(JSONValue.decimal(1e-7).line == "1e-07")
        #expect(JSONValue.decimal(.nan).line == "null")
        #expect(JSONValue.decimal(.infinity).line == "null")
        #expect(JSONValue.number("NaN").line == "null")
    }

    @Test func `times have nine digits of the second`() {
        let time = Timestamp(seconds: 1_795_165_205, nanoseconds: 42)
        #expect(JSONValue.time(time) == "2026-11-20T09:00:05.000000042Z")
    }

    @Test func `a path that is not UTF-8 is given twice, lossy and exact`() {
        #expect(JSONValue.path(Array("a/b".utf8)).line == #"{"path":"a/b"}"#)
        let path = JSONValue.path([0x61, 0xE9])
        #expect(path["path"].string == "a\u{FFFD}")
        #expect(path["path_base64"].string == "Yek=")
    }
}

extension Int {
    var json: JSONValue { .integer(self) }
}
