/// A second of the Gregorian calendar in UTC: what ``Timestamp`` means to a person.
///
/// The calendar reaches back and forward without end (it is proleptic) and knows no leap seconds, like
/// `time_t`.
public struct CivilDate: Hashable, Sendable {
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int
    /// 0 to 23.
    public let hour: Int
    /// 0 to 59.
    public let minute: Int
    /// 0 to 59.
    public let second: Int

    /// The second that `time` lies in.
    public init(_ time: Timestamp) {
        let (days, secondOfDay) = Int(time.seconds).flooredDivision(by: CivilDate.secondsPerDay)
        (year, month, day) = CivilDate.date(ofDay: days)
        hour = secondOfDay / 3600
        minute = secondOfDay / 60 % 60
        second = secondOfDay % 60
    }

    /// - Returns: nil for a date or a time that does not exist, such as 30 February or 24:00.
    public init?(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        guard (1...12).contains(month), day >= 1, day <= CivilDate.dayCount(year: year, month: month),
            (0...23).contains(hour), (0...59).contains(minute), (0...59).contains(second)
        else { return nil }
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// Reads exactly `2026-11-20` (midnight) or `2026-11-20T09:30:05Z`; anything else gives nil.
    public init?(parsing text: some StringProtocol) {
        let characters = Array(text.utf8)
        let template = characters.count == 10 ? "0000-00-00" : "0000-00-00T00:00:00Z"
        guard characters.count == template.utf8.count else { return nil }
        var numbers = [0]
        for (character, expected) in zip(characters, template.utf8) {
            if expected == UInt8(ascii: "0") {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(character) else { return nil }
                numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int(character & 15)
            } else {
                guard character == expected else { return nil }
                numbers.append(0)
            }
        }
        numbers += [0, 0, 0]
        self.init(
            year: numbers[0], month: numbers[1], day: numbers[2], hour: numbers[3], minute: numbers[4],
            second: numbers[5])
    }

    /// The moment it begins; the nearest end of ``Timestamp``'s range for dates beyond that.
    public var timestamp: Timestamp {
        Timestamp(seconds: CivilDate.seconds(day: dayNumber, second: secondOfDay), nanoseconds: 0)
    }

    /// 0 to 86,399.
    public var secondOfDay: Int { hour * 3600 + minute * 60 + second }

    /// Days since 1970-01-01; negative before.
    public var dayNumber: Int { CivilDate.dayNumber(year: year, month: month, day: day) }

    /// `2026-11-20`
    public var dateText: String { "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))" }

    /// `2026-11-20T09:30:05Z` (RFC 3339)
    public var timeText: String {
        "\(dateText)T\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))Z"
    }
}

extension CivilDate {
    public static let secondsPerDay = 86_400

    /// Seconds from 1970 to a second that is counted from the beginning of a day, and need not lie in it; the nearest
    /// end of 64 bits for what lies beyond.
    public static func seconds(day: Int, second: Int) -> Int64 {
        // The first second that there is lies in a day that begins before it.
        Int64(clamping: Int128(day) * Int128(secondsPerDay) + Int128(second))
    }

    /// Days from 1970-01-01 to a date.
    ///
    /// - Parameters:
    ///   - month: 1 to 12.
    ///   - day: counted from the first of that month, and need not lie in it: 0 is the day before.
    public static func dayNumber(year: Int, month: Int, day: Int) -> Int {
        // Years that begin in March put the leap day last, so months have the same lengths in every year;
        // 400 years are always 146,097 days. After Howard Hinnant's `days_from_civil`.
        let (era, yearOfEra) = (month <= 2 ? year - 1 : year).flooredDivision(by: 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - daysFromYearZeroToEpoch + day - 1
    }

    /// How many days a month has, 28 to 31.
    public static func dayCount(year: Int, month: Int) -> Int {
        switch month {
        case 2: year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// The inverse of ``dayNumber(year:month:day:)``.
    private static func date(ofDay number: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = (number + daysFromYearZeroToEpoch).flooredDivision(by: 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }

    /// From 0000-03-01, where the first era begins.
    private static let daysFromYearZeroToEpoch = 719_468
}

/// A week as ISO 8601 counts them: from Monday to Sunday, in the year that its Thursday lies in.
public struct ISOWeek: Hashable, Sendable, CustomStringConvertible {
    /// May differ from the year of its first or last days.
    public let year: Int
    /// 1 to 53.
    public let week: Int

    /// `2026-W47`
    public var description: String { "\(padded(year, 4))-W\(padded(week, 2))" }
}

extension CivilDate {
    public var isoWeek: ISOWeek {
        // 1970-01-01 was a Thursday; Monday counts as 0.
        let weekday = (dayNumber + 3).flooredDivision(by: 7).remainder
        let thursday = dayNumber - weekday + 3
        let year = CivilDate.date(ofDay: thursday).year
        let first = CivilDate.dayNumber(year: year, month: 1, day: 1)
        return ISOWeek(year: year, week: (thursday - first) / 7 + 1)
    }
}

extension Int {
    /// Rounds towards the past, so that the remainder is never negative.
    fileprivate func flooredDivision(by divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

private func padded(_ value: Int, _ width: Int) -> String {
    let digits = String(value.magnitude)
    return (value < 0 ? "-" : "") + String(repeating: "0", count: max(0, width - digits.count)) + digits
}
