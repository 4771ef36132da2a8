import Objects
import Testing

@Suite struct CivilDateTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_000_000_000, "2001-09-09T01:46:40Z"), (1_795_167_005, "2026-11-20T09:30:05Z"),
            (-2_208_988_800, "1900-01-01T00:00:00Z"), (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-5_364_662_400, "1800-01-01T00:00:00Z"), (2_147_483_648, "2038-01-19T03:14:08Z"),
        ] as [(Int64, String)])
    func `a moment has its date and time`(seconds: Int64, text: String) throws {
        let date = CivilDate(Timestamp(seconds: seconds, nanoseconds: 999_999_999))
        #expect(date.timeText == text)
        #expect(date.dateText == String(text.prefix(10)))
        #expect(date.timestamp == Timestamp(seconds: seconds, nanoseconds: 0))
        #expect(CivilDate(parsing: text) == date)
    }

    @Test func `the ends of the range have dates`() {
        #expect(CivilDate(Timestamp(nanoseconds: .min)).timeText == "1677-09-21T00:12:43Z")
        #expect(CivilDate(Timestamp(nanoseconds: .max)).timeText == "2262-04-11T23:47:16Z")
        let first = CivilDate(Timestamp(seconds: .min, nanoseconds: 0))
        let last = CivilDate(Timestamp(seconds: .max, nanoseconds: 0))
        #expect(first.timeText == "-292277022657-01-27T08:29:52Z")
        #expect(last.timeText == "292277026596-12-04T15:30:07Z")
        #expect(first.timestamp == Timestamp(seconds: .min, nanoseconds: 0))
        #expect(last.timestamp == Timestamp(seconds: .max, nanoseconds: 0))
    }

    @Test(arguments: [
        (-62_167_219_201, "-0001-12-31"), (-62_167_219_200, "0000-01-01"), (253_402_300_800, "10000-01-01"),
    ])
    func `years have four digits and more, and a sign before the year 0`(seconds: Int64, text: String) {
        #expect(CivilDate(Timestamp(seconds: seconds, nanoseconds: 0)).dateText == text)
    }

    @Test func `the days of 500 years follow each other`() {
        var number = CivilDate.dayNumber(year: 1700, month: 1, day: 1)
        // Monday is 0; 1700-01-01 was a Friday.
        var weekday = 4
        for year in 1700..<2200 {
            var dayOfYear = 0
            for month in 1...12 {
                for day in 1...CivilDate.dayCount(year: year, month: month) {
                    // 0 and 53 may belong to the years beside.
                    let week = (dayOfYear - weekday + 10) / 7
                    guard let date = CivilDate(year: year, month: month, day: day),
                        date.dayNumber == number, CivilDate(date.timestamp) == date,
                        !(1...52).contains(week) || (date.isoWeek.year, date.isoWeek.week) == (year, week)
                    else {
                        Issue.record("\(year)-\(month)-\(day), day \(number), week \(week)")
                        return
                    }
                    number += 1
                    dayOfYear += 1
                    weekday = (weekday + 1) % 7
                }
            }
        }
        #expect(number == CivilDate.dayNumber(year: 2200, month: 1, day: 1))
    }

    @Test(arguments: [
        ("2021-01-03", "2020-W53"), ("2021-01-04", "2021-W01"), ("2020-12-31", "2020-W53"),
        ("2019-12-29", "2019-W52"), ("2019-12-30", "2020-W01"), ("2005-01-01", "2004-W53"),
        ("2005-01-02", "2004-W53"), ("2006-01-01", "2005-W52"), ("2007-01-01", "2007-W01"),
        ("2008-12-28", "2008-W52"), ("2008-12-29", "2009-W01"), ("2010-01-03", "2009-W53"),
        ("1970-01-01", "1970-W01"), ("1969-12-28", "1969-W52"), ("1969-12-29", "1970-W01"),
        ("2026-11-20", "2026-W47"), ("2024-12-30", "2025-W01"), ("2016-01-03", "2015-W53"),
    ])
    func `a week belongs to the year of its Thursday`(date: String, week: String) throws {
        #expect(try #require(CivilDate(parsing: date)).isoWeek.description == week)
    }

    @Test(arguments: [
        "", "2026", "2026-11", "2026-11-2", "2026-11-200", "2026-00-01", "2026-13-01", "2026-01-00",
        "2026-01-32",
        "2026-04-31", "2025-02-29", "1900-02-29", "2026/11/20", "+026-11-20", "2026-11-20T",
        "2026-11-20T09:30:05",
        "2026-11-20T09:30:05z", "2026-11-20t09:30:05Z", "2026-11-20T24:00:00Z", "2026-11-20T23:60:00Z",
        "2026-11-20T23:59:60Z", "2026-11-20T09:30:5Z ", "２０２６-11-20",
    ])
    func `a date or time that does not exist is refused`(text: String) {
        #expect(CivilDate(parsing: text) == nil)
    }

    @Test func `leap days exist every fourth year but for three centuries of four`() {
        for year in [1600, 1996, 2000, 2024, 2400] {
            #expect(CivilDate(year: year, month: 2, day: 29) != nil)
        }
        for year in [1700, 1800, 1900, 2023, 2100] {
            #expect(CivilDate(year: year, month: 2, day: 29) == nil)
        }
    }

    @Test func `days beyond a month run over into the next`() {
        #expect(
            CivilDate.dayNumber(year: 2026, month: 2, day: 31)
                == CivilDate.dayNumber(year: 2026, month: 3, day: 3))
        #expect(
            CivilDate.dayNumber(year: 2026, month: 3, day: 0)
                == CivilDate.dayNumber(year: 2026, month: 2, day: 28))
        #expect(CivilDate.dayNumber(year: 1970, month: 1, day: 1) == 0)
    }
}
