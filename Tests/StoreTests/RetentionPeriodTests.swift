import Objects
import Store
import Testing

@Suite struct RetentionPeriodTests {
    @Test(arguments: [
        ("9h", "9h"), ("3d", "3d"), ("4d2h", "4d2h"), ("7m5d", "7m5d"), ("5d7m", "7m5d"),
        ("4h3d9m", "9m3d4h"),
        ("1y5m7d2h", "1y5m7d2h"), ("007d", "7d"), ("0y7d", "7d"), ("999999y", "999999y"), ("0h", "0h"),
    ])
    func `a period is read in any order of its units`(text: String, shown: String) throws {
        let period = try RetentionPeriod(parsing: text)
        #expect(period.description == shown)
        #expect(period.isZero == (shown == "0h"))
        #expect(try RetentionPeriod(parsing: shown) == period)
    }

    @Test(arguments: [
        "", "7", "d", "2w", "1y4m3w1d", "-7d", "+7d", "1d1d", "7D", "1.5d", " 7d", "7d ", "7 d", "1000000h",
        "٧d", "7分",
    ])
    func `anything else is no period`(text: String) {
        let error = #expect(throws: ObjectError.self) { try RetentionPeriod(parsing: text) }
        #expect(error?.code == .invalidName)
        #expect(error?.subject == text)
        #expect(error?.hint.contains("1y6m") == true)
    }

    @Test(arguments: [
        ("2026-11-20T09:30:05Z", "2h", "2026-11-20T07:30:05Z"),
        ("2026-11-20T09:30:05Z", "36h", "2026-11-18T21:30:05Z"),
        ("2026-11-20T09:30:05Z", "7d", "2026-11-13T09:30:05Z"),
        ("2026-03-01T00:00:00Z", "1d", "2026-02-28T00:00:00Z"),
        ("2024-03-01T00:00:00Z", "1d", "2024-02-29T00:00:00Z"),
        ("2026-01-15T12:00:00Z", "1m", "2025-12-15T12:00:00Z"),
        ("2026-01-15T12:00:00Z", "13m", "2024-12-15T12:00:00Z"),
        ("2026-12-31T12:00:00Z", "12m", "2025-12-31T12:00:00Z"),
        // A date that does not exist runs over into the next month.
        ("2026-03-31T12:00:00Z", "1m", "2026-03-03T12:00:00Z"),
        ("2024-03-31T12:00:00Z", "1m", "2024-03-02T12:00:00Z"),
        ("2024-02-29T12:00:00Z", "1y", "2023-03-01T12:00:00Z"),
        ("2026-11-20T09:30:05Z", "1y5m7d2h", "2025-06-13T07:30:05Z"),
        ("1970-01-01T00:00:00Z", "1y", "1969-01-01T00:00:00Z"),
    ])
    func `a period is taken from the calendar`(from: String, period: String, to: String) throws {
        let start = try #require(CivilDate(parsing: from)).timestamp
        let before = try RetentionPeriod(parsing: period).before(start)
        #expect(CivilDate(before).timeText == to)
    }

    @Test func `fractions of a second are kept and ages end at the range of time`() throws {
        let time = Timestamp(seconds: 100_000, nanoseconds: 7)
        #expect(RetentionPeriod(hours: 1).before(time) == Timestamp(seconds: 96_400, nanoseconds: 7))
        let ages = try RetentionPeriod(parsing: "999999y999999m999999d999999h")
        #expect(CivilDate(ages.before(time)).year < -1_000_000)
        let first = Timestamp(seconds: .min, nanoseconds: 7)
        #expect(ages.before(first) == first)
    }
}
