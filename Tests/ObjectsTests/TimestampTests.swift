import Objects
import Testing

@Suite struct TimestampTests {
    @Test(arguments: [
        0, 1, -1, 999_999_999, -999_999_999, -1_000_000_000, -1_000_000_001, .max, .min, .min + 1,
    ])
    func `seconds and nanoseconds put together again are the same moment`(nanoseconds: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        #expect((0..<1_000_000_000).contains(time.subsecond))
        #expect(Timestamp(seconds: time.seconds, nanoseconds: time.subsecond) == time)
    }

    @Test(arguments: [(-1, -1, 999_999_999), (-1_000_000_000, -1, 0), (1_500_000_000, 1, 500_000_000)])
    func `seconds are rounded towards the past`(nanoseconds: Int64, seconds: Int64, subsecond: Int64) {
        let time = Timestamp(nanoseconds: nanoseconds)
        #expect(time.seconds == seconds)
        #expect(time.subsecond == subsecond)
    }

    @Test func `times beyond the range become its nearest end`() {
        #expect(Timestamp(seconds: .max, nanoseconds: 0).nanoseconds == .max)
        #expect(Timestamp(seconds: .min, nanoseconds: 999_999_999).nanoseconds == .min)
        #expect(Timestamp(seconds: 9_223_372_036, nanoseconds: 999_999_999).nanoseconds == .max)
        #expect(Timestamp(seconds: 9_223_372_037, nanoseconds: 0).nanoseconds == .max)
        #expect(Timestamp(seconds: -9_223_372_037, nanoseconds: 0).nanoseconds == .min)
    }
}

@Suite struct VersionNumberTests {
    @Test(arguments: [(1, "v000001"), (42, "v000042"), (999_999, "v999999"), (1_000_000, "v1000000")])
    func `a number is shown with six digits or more`(value: Int64, text: String) {
        #expect("\(VersionNumber(value))" == text)
    }
}
