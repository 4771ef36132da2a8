import Testing

@testable import firn

@Suite struct OutputTests {
    @Test(arguments: [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (10_240, "10 KiB"),
        (1_023_999, "1000 KiB"), (1_024_000, "1.0 MiB"), (3_000_003, "2.9 MiB"), (UInt64.max, "16 EiB"),
    ])
    func `bytes are rounded to what a person reads`(count: UInt64, text: String) {
        #expect(Quantity.bytes(count) == text)
    }

    @Test func `counts agree with their nouns`() {
        #expect(Quantity.count(1, "file") == "1 file")
        #expect(Quantity.count(0, "file") == "0 files")
        #expect(Quantity.count(2, "entry", plural: "entries") == "2 entries")
    }

    @Test func `times left are clocks`() {
        #expect(Quantity.clock(seconds: 7.9) == "0:07")
        #expect(Quantity.clock(seconds: 750) == "12:30")
        #expect(Quantity.clock(seconds: 12_300) == "3:25:00")
        #expect(Quantity.clock(seconds: .infinity) == "99:59:59")
        #expect(Quantity.clock(seconds: -1) == "0:00")
    }

    @Test func `columns are as wide as their widest cell`() {
        var table = Table([("NAME", .left), ("SIZE", .right), ("NOTE", .left)])
        table.add(["a", "12 B", "x"])
        table.add(["longer", "1 B", ""])
        #expect(table.lines == ["NAME    SIZE  NOTE", "a       12 B  x", "longer   1 B"])
    }

    @Test func `a bar shows part, amounts, rate and time left`() {
        let line = ProgressBar.line(phase: "hashing", done: 512, total: 2048, seconds: 2, columns: 120)
        #expect(line == "hashing  25 % [#####...............]  512 B of 2.0 KiB  256 B/s  0:06 left")
        #expect(ProgressBar.line(phase: "hashing", done: 1, total: 2, seconds: 1, columns: 10) == "hashing  ")
        #expect(ProgressBar.line(phase: "x", done: 5, total: 0, seconds: 1, columns: 80) == "x  5  5/s")
        #expect(ProgressBar.line(phase: "x", done: 0, total: 5, seconds: 0, columns: 80).hasSuffix("? left"))
        // More than was announced is still not more than everything.
        #expect(ProgressBar.line(phase: "x", done: 9, total: 5, seconds: 1, columns: 80).contains("100 %"))
    }

    @Test func `what would steer the terminal is shown instead`() {
        #expect(Printable.text("a\u{1b}[2Jb\nc\td\u{7f}") == "a\\x1b[2Jb\\nc\\td\\x7f")
        #expect(Printable.name([0x61, 0xE9]) == "a\u{FFFD}")
        #expect(Printable.firstLine("subject\nbody") == "subject")
        #expect(Printable.firstLine("") == "")
    }
}
