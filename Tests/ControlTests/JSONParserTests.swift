import Control
import TestSupport
import Testing

@Suite struct JSONParserTests {
    private func parse(_ text: String) throws(JSONParseError) -> JSONValue {
        try JSONParser.parse(Array(text.utf8))
    }

    @Test func `values of every kind are read`() throws {
        let value = try parse(
            #" {"a": [1, -2.5e3, true, false, null], "b": {"c": "d"}, "e": [], "f": {}} "#)
        #expect(value["a"] == [.number("1"), .number("-2.5e3"), .bool(true), .bool(false), .null])
        #expect(value["b"]["c"].string == "d")
        #expect(value["e"] == .array([]))
        #expect(value["f"] == .object([]))
        #expect(value["missing"].isNull)
    }

    @Test func `numbers keep their digits`() throws {
        for digits in ["3e-4", "0.10", "-0", "12345678901234567890", "1E+5"] {
            #expect(try parse(digits) == .number(digits))
        }
        #expect(try parse("3e-4").decimal == 3e-4)
        #expect(try parse("42").integer == 42)
        #expect(try parse("1.5").integer == nil)
    }

    @Test func `numbers that Python writes are read and are not finite`() throws {
        let value = try parse(#"{"a": NaN, "b": Infinity, "c": -Infinity, "d": 1e999}"#)
        #expect(value["a"].decimal?.isNaN == true)
        #expect(value["b"].decimal == .infinity)
        #expect(value["c"].decimal == -.infinity)
        #expect(value["d"].decimal?.isFinite == false)
    }

    @Test func `escapes are undone`() throws {
        let value = try parse(#"["\"\\\/\b\f\n\r\t", "\u00e9\u20AC", "\ud83d\ude00"]"#)
        #expect(value.elements.map(\.string) == ["\"\\/\u{8}\u{c}\n\r\t", "é€", "😀"])
    }

    @Test func `every beginning of a document is incomplete`() throws {
        let text =
            #"{"message": "first \u00e9\ud83d\ude00", "n": [1, -2.5e-3, true, null], "m": {"auc": NaN}}"#
        let bytes = Array(text.utf8)
        for count in bytes.indices {
            #expect(throws: JSONParseError.incomplete) { try JSONParser.parse(Array(bytes[..<count])) }
        }
        #expect(throws: Never.self) { try JSONParser.parse(bytes) }
    }

    @Test(arguments: [
        "x", "{x", "{\"a\" 1", "{\"a\": 1 2", "{\"a\": 1,}", "[1,]", "[1 2]", "tru]", "01", "-x", "1.x", "1e",
        "\"\u{1}\"", #""\x""#, #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#, #""\u12g4""#, "{} {}", "[]]",
        #"{"a": 1, "a": 2}"#,
    ])
    func `what no continuation can mend is malformed`(text: String) {
        // A number at the end may go on; a comma after it shows that it does not.
        let text = text == "1e" ? "1e," : text
        #expect {
            try JSONParser.parse(Array(text.utf8))
        } throws: { error in
            guard case JSONParseError.malformed = error else { return false }
            return true
        }
    }

    @Test func `a problem is found by line and column`() {
        #expect(throws: JSONParseError.malformed("a value is missing here", line: 3, column: 8)) {
            try JSONParser.parse(Array("{\n  \"a\": 1,\n  \"b\": ?\n}".utf8))
        }
    }

    @Test func `text that is not UTF-8 is refused`() {
        #expect {
            try JSONParser.parse([0x22, 0xE9, 0x22])
        } throws: { $0 as? JSONParseError != .incomplete }
    }

    @Test func `nesting has a limit`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect {
            try JSONParser.parse(Array(deep.utf8))
        } throws: { $0 as? JSONParseError != .incomplete }
        let allowed = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: Never.self) { try JSONParser.parse(Array(allowed.utf8)) }
    }

    @Test func `mutilated documents throw and never trap`() {
        var generator = SeededGenerator(seed: 1)
        let sample = Array(#"{"a":["\u00e9\ud83d\ude00",-1.5e+3,true,null,NaN],"b":{"c":"d\\"}}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = sample
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: bytes.indices, using: &generator)] = .random(
                    in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0..<8, using: &generator))
            if let value = try? JSONParser.parse(bytes) {
                // What was read can be written and read again.
                _ = try? JSONParser.parse(Array(value.line.utf8))
            }
        }
    }
}
