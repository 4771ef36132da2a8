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

    @Test(
        arguments: [
            (.max, 0, .max), (.min, 999_999_999, .min), (9_223_372_036, 854_775_808, .max),
            (9_223_372_037, 0, .max), (-9_223_372_037, 145_224_191, .min), (10_413_792_000, 1, .max),
        ] as [(Int64, Int64, Int64)])
    func `what 64 bits of nanoseconds cannot hold is exact, and their nearest end as one number`(
        seconds: Int64, subsecond: Int64, nearest: Int64
    ) {
        let time = Timestamp(seconds: seconds, nanoseconds: subsecond)
        #expect((time.seconds, time.subsecond) == (seconds, subsecond))
        #expect(time.exactNanoseconds == nil)
        #expect(time.nanoseconds == nearest)
        #expect((time < Timestamp(nanoseconds: 0)) == (seconds < 0))
    }

    @Test(arguments: [
        (9_223_372_036, 854_775_807, Int64.max), (-9_223_372_037, 145_224_192, .min), (1, -1, 999_999_999),
        (0, 2_500_000_000, 2_500_000_000), (0, -2_500_000_000, -2_500_000_000),
    ])
    func `what they can hold is one number`(seconds: Int64, subsecond: Int64, nanoseconds: Int64) {
        let time = Timestamp(seconds: seconds, nanoseconds: subsecond)
        #expect(time.exactNanoseconds == nanoseconds)
        #expect(time == Timestamp(nanoseconds: nanoseconds))
    }

    @Test func `what lies beyond 64 bits of seconds becomes their nearest end`() {
        let last = Timestamp(seconds: .max, nanoseconds: 999_999_999)
        #expect(Timestamp(seconds: .max, nanoseconds: 1_000_000_000) == last)
        #expect(Timestamp(seconds: .min, nanoseconds: -1) == Timestamp(seconds: .min, nanoseconds: 0))
        #expect(Timestamp(seconds: .min, nanoseconds: 0) < Timestamp(seconds: .min, nanoseconds: 1))
    }
}

@Suite struct VersionNumberTests {
    @Test(arguments: [(1, "v000001"), (42, "v000042"), (999_999, "v999999"), (1_000_000, "v1000000")])
    func `a number is shown with six digits or more`(value: Int64, text: String) {
        #expect("\(VersionNumber(value))" == text)
    }
}
