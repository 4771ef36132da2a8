public import Objects

/// A stretch of calendar time such as `1y5m7d2h`: how far back `--keep-within` reaches.
public struct RetentionPeriod: Hashable, Sendable, CustomStringConvertible {
    public var years: Int
    public var months: Int
    public var days: Int
    public var hours: Int

    /// Each number may have this many digits: enough for ages, and no sum of them can overflow.
    public static let digitCountMax = 6

    public init(years: Int = 0, months: Int = 0, days: Int = 0, hours: Int = 0) {
        self.years = years
        self.months = months
        self.days = days
        self.hours = hours
    }

    /// Reads numbers with the units y, m (months), d and h, in any order, each at most once.
    ///
    /// - Throws: ``ObjectError`` `.invalidName` for anything else.
    public init(parsing text: String) throws(ObjectError) {
        func refused(_ message: String) -> ObjectError {
            ObjectError(
                .invalidName, message, subject: text,
                hint: "a period is numbers with the units y, m (months), d and h, such as 1y6m, 7d or 36h")
        }
        self.init()
        var seen: Set<Character> = []
        var digits = ""
        for character in text {
            if character.isASCII, character.isNumber {
                digits.append(character)
                continue
            }
            guard !digits.isEmpty else { throw refused("'\(character)' follows no number") }
            guard digits.utf8.count <= RetentionPeriod.digitCountMax, let number = Int(digits) else {
                throw refused("\(digits) is too large")
            }
            digits = ""
            guard seen.insert(character).inserted else { throw refused("'\(character)' is given twice") }
            switch character {
            case "y": years = number
            case "m": months = number
            case "d": days = number
            case "h": hours = number
            default: throw refused("there is no unit '\(character)'")
            }
        }
        guard digits.isEmpty else { throw refused("\(digits) has no unit") }
        guard !seen.isEmpty else { throw refused("a period cannot be empty") }
    }

    /// A period of no length reaches nothing.
    public var isZero: Bool { self == RetentionPeriod() }

    /// `1y5m7d2h`, without the units that are zero.
    public var description: String {
        let parts = [(years, "y"), (months, "m"), (days, "d"), (hours, "h")]
        let text = parts.filter { $0.0 != 0 }.map { "\($0.0)\($0.1)" }.joined()
        return text.isEmpty ? "0h" : text
    }

    /// The moment this long before `time`, in UTC.
    ///
    /// Years, months and days are taken from the date first, then hours. A date that does not exist runs over
    /// into the next month, as in restic: one month before 31 March is 3 March (2 March in a leap year).
    public func before(_ time: Timestamp) -> Timestamp {
        let date = CivilDate(time)
        let monthsSinceZero = date.year * 12 + date.month - 1 - years * 12 - months
        let month = (monthsSinceZero % 12 + 12) % 12
        let dayNumber = CivilDate.dayNumber(
            year: (monthsSinceZero - month) / 12, month: month + 1, day: date.day - days)
        let seconds = CivilDate.seconds(day: dayNumber, second: date.secondOfDay - hours * 3600)
        return Timestamp(seconds: seconds, nanoseconds: time.subsecond)
    }
}
