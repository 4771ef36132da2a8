import Objects
import Store
import Testing

/// restic's own test of its policies: the same 103 snapshots, the same policies, the same decisions.
///
/// From `internal/data/snapshot_policy_test.go` and `internal/data/testdata/policy_keep_snapshots_*` of
/// restic at a80be1478a4c (BSD 2-Clause). Snapshots are numbered from the oldest; of several at one moment
/// restic takes the first of its list for the newest, which here has the greatest number.
@Suite struct ResticRetentionTests {
    private static let days = [
        "2014-08": ["08", "10", "12", "13", "13", "15", "18", "20", "21", "22"],
        "2014-09": ["01", "02", "05", "06", "08", "09", "10", "11", "20", "22"],
        "2014-10": ["01", "02", "05", "06", "08", "09", "10", "11", "20", "22"],
        "2014-11": ["08", "10", "12", "13", "13", "15", "18", "20", "21", "22"],
        "2015-08": ["08", "10", "12", "13", "13", "15", "18", "20", "21", "22"],
        "2015-09": ["01", "02", "05", "06", "08", "09", "10", "11", "20", "22"],
        "2015-10": [
            "01", "02", "05", "06", "08", "09", "10", "11", "20", "22", "22", "22", "22", "22",
        ],
        "2015-11": ["08", "10", "12", "13", "13", "15", "18", "20", "21", "22"],
        "2016-01": [
            "01T01:02:03Z", "01T01:03:03Z", "01T07:08:03Z", "03T07:02:03Z", "04T10:23:03Z", "04T11:23:03Z",
            "04T12:23:03Z", "04T12:24:03Z", "04T12:28:03Z", "04T12:30:03Z", "04T16:23:03Z", "05T09:02:03Z",
            "06T08:02:03Z", "07T10:02:03Z", "08T20:02:03Z", "09T21:02:03Z", "12T21:02:03Z", "12T21:08:03Z",
            "18T12:02:03Z",
        ],
    ]

    private static let snapshots: [RetentionSubject] = days.sorted { $0.key < $1.key }
        .flatMap { month, days in days.map { $0.count == 2 ? "\(month)-\($0)T10:20:30Z" : "\(month)-\($0)" } }
        .enumerated()
        .map { index, text in
            guard let date = CivilDate(parsing: text) else { preconditionFailure("\(text) is not a time") }
            let tags =
                switch index + 1 {
                case 21...34: ["foo"]
                case 35: ["bar"]
                case 36, 70...72: ["foo", "bar"]
                default: [String]()
                }
            return RetentionSubject(number: VersionNumber(Int64(index + 1)), time: date.timestamp, tags: tags)
        }

    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let kept: String
        let change: @Sendable (inout RetentionPolicy) throws -> Void

        init(
            _ description: String, _ kept: String,
            _ change: @escaping @Sendable (inout RetentionPolicy) throws -> Void
        ) {
            self.testDescription = description
            self.kept = kept
            self.change = change
        }
    }

    static let cases = [
        Case("last 10", "94-103") { $0.keepLast = 10 },
        Case("last 15", "89-103") { $0.keepLast = 15 },
        Case("last 99", "5-103") { $0.keepLast = 99 },
        Case("last 200", "1-103") { $0.keepLast = 200 },
        Case("hourly 20", "79-84 86-90 94-100 102-103") { $0.keepHourly = 20 },
        Case("daily 3", "100 102-103") { $0.keepDaily = 3 },
        Case("daily 10", "87-88 95-100 102-103") { $0.keepDaily = 10 },
        Case("daily 30", "60-69 74-77 79-84 87-88 95-100 102-103") { $0.keepDaily = 30 },
        Case("last 5, daily 5", "98-103") { ($0.keepLast, $0.keepDaily) = (5, 5) },
        Case("last 2, daily 10", "87-88 95-100 102-103") { ($0.keepLast, $0.keepDaily) = (2, 10) },
        Case("weekly 2", "102-103") { $0.keepWeekly = 2 },
        Case("weekly 4", "88 100 102-103") { $0.keepWeekly = 4 },
        Case("daily 3, weekly 4", "88 100 102-103") { ($0.keepDaily, $0.keepWeekly) = (3, 4) },
        Case("monthly 6", "40 50 60 74 84 103") { $0.keepMonthly = 6 },
        Case("daily 2, weekly 2, monthly 6", "40 50 60 74 84 102-103") {
            ($0.keepDaily, $0.keepWeekly, $0.keepMonthly) = (2, 2, 6)
        },
        Case("yearly 10", "1 40 84 103") { $0.keepYearly = 10 },
        Case("daily 7, weekly 2, monthly 3, yearly 10", "1 40 74 84 96-100 102-103") {
            ($0.keepDaily, $0.keepWeekly, $0.keepMonthly, $0.keepYearly) = (7, 2, 3, 10)
        },
        // restic forgets the newest as well; Firn never does.
        Case("tag foo", "21-34 36 70-72 103") { $0.keepTags = [try TagName("foo")] },
        Case("tag foo, tag bar", "21-36 70-72 103") {
            $0.keepTags = [try TagName("foo"), try TagName("bar")]
        },
        Case("within 1d", "103") { $0.keepWithin = try RetentionPeriod(parsing: "1d") },
        Case("within 2d", "103") { $0.keepWithin = try RetentionPeriod(parsing: "2d") },
        Case("within 7d", "101-103") { $0.keepWithin = try RetentionPeriod(parsing: "7d") },
        Case("within 1m", "85-103") { $0.keepWithin = try RetentionPeriod(parsing: "1m") },
        Case("within 1m14d", "85-103") { $0.keepWithin = try RetentionPeriod(parsing: "1m14d") },
        Case("within 1y1d1m", "41-103") { $0.keepWithin = try RetentionPeriod(parsing: "1y1d1m") },
        Case("within 13d23h", "95-103") { $0.keepWithin = try RetentionPeriod(parsing: "13d23h") },
        Case("within 2m2h", "81-103") { $0.keepWithin = try RetentionPeriod(parsing: "2m2h") },
        Case("within 1y2m3d3h", "36-103") { $0.keepWithin = try RetentionPeriod(parsing: "1y2m3d3h") },
        Case("last unlimited", "1-103") { $0.keepLast = RetentionPolicy.unlimited },
        Case("hourly unlimited", "1-3 5-33 35-43 45-69 74-77 79-84 86-90 94-100 102-103") {
            $0.keepHourly = RetentionPolicy.unlimited
        },
        Case(
            "daily 3, weekly 2, monthly and yearly unlimited",
            "1 10 20 30 40 50 60 74 84 100 102-103"
        ) {
            ($0.keepDaily, $0.keepWeekly) = (3, 2)
            ($0.keepMonthly, $0.keepYearly) = (RetentionPolicy.unlimited, RetentionPolicy.unlimited)
        },
    ]

    @Test(arguments: cases)
    func `decisions are those of restic`(example: Case) throws {
        var policy = RetentionPolicy()
        try example.change(&policy)
        // In restic a tag protects nothing by itself.
        policy.forgetTagged = [try TagPattern("*")]
        let plan = try policy.plan(for: ResticRetentionTests.snapshots, now: Timestamp(nanoseconds: .max))
        #expect(ranges(plan.kept.map(\.value).sorted()) == example.kept)
        #expect(plan.decisions.count == 103)
    }

    @Test func `a rule that is not used up names the oldest as restic does`() throws {
        var policy = RetentionPolicy()
        (policy.keepDaily, policy.keepWeekly) = (3, 2)
        (policy.keepMonthly, policy.keepYearly) = (RetentionPolicy.unlimited, RetentionPolicy.unlimited)
        let plan = try policy.plan(for: ResticRetentionTests.snapshots, now: Timestamp(nanoseconds: .max))
        #expect(plan.decisions.last?.reasons == ["oldest monthly 2014-08", "oldest yearly 2014"])
    }

    /// `1-3 5` for 1, 2, 3, 5.
    private func ranges(_ numbers: [Int64]) -> String {
        var ranges: [ClosedRange<Int64>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: " ")
    }
}
