import Objects
import Store
import Testing

@Suite struct RetentionPolicyTests {
    /// Two weeks of nightly commits with the gaps and extras that a real store has.
    private static let store: [RetentionSubject] = [
        version(1, "2025-12-28T23:30:00Z"),
        version(2, "2025-12-29T02:00:00Z"),
        version(3, "2026-01-03T02:00:00Z", tags: ["baseline"]),
        version(4, "2026-02-27T02:00:00Z"),
        version(5, "2026-02-28T02:00:00Z", isPinned: true),
        version(6, "2026-03-01T02:00:00Z", tags: ["nightly-0301"]),
        version(7, "2026-03-02T02:00:00Z", tags: ["nightly-0302"]),
        version(8, "2026-03-02T02:40:00Z"),
        version(9, "2026-03-02T14:00:00Z", tags: ["nightly-0302b", "candidate"]),
        version(10, "2026-03-03T02:00:00Z"),
    ]
    private static let now = time("2026-03-03T09:00:00Z")

    @Test func `the last versions are kept and nothing older`() throws {
        try expectReasons(
            { $0.keepLast = 2 },
            [
                "v000010: latest, last version",
                "v000009: tag nightly-0302b, tag candidate, last version",
                "v000007: tag nightly-0302",
                "v000006: tag nightly-0301",
                "v000005: pinned",
                "v000003: tag baseline",
            ])
    }

    @Test func `each rule adds its reason with the stretch it stands for`() throws {
        try expectReasons(
            { policy in
                policy.keepHourly = 3
                policy.keepDaily = 3
                policy.keepWeekly = 2
                policy.keepMonthly = 2
                policy.keepYearly = 1
                policy.forgetTagged = [try TagPattern("*")]
            },
            [
                """
                v000010: latest, hourly 2026-03-03T02, daily 2026-03-03, weekly 2026-W10, monthly 2026-03, \
                yearly 2026
                """,
                "v000009: hourly 2026-03-02T14, daily 2026-03-02",
                "v000008: hourly 2026-03-02T02",
                "v000006: daily 2026-03-01, weekly 2026-W09",
                "v000005: pinned, monthly 2026-02",
            ])
    }

    @Test func `a rule that is not used up keeps the oldest version too`() throws {
        try expectReasons(
            { policy in
                policy.keepWeekly = 100
                policy.keepYearly = 100
                policy.forgetTagged = [try TagPattern("*")]
            },
            [
                "v000010: latest, weekly 2026-W10, yearly 2026",
                "v000006: weekly 2026-W09",
                "v000005: pinned",
                "v000003: weekly 2026-W01",
                "v000002: yearly 2025",
                "v000001: weekly 2025-W52, oldest yearly 2025",
            ])
    }

    @Test func `a period reaches back from the newest version and not from now`() throws {
        try expectReasons(
            { policy in
                policy.keepWithin = try RetentionPeriod(parsing: "1d")
                policy.forgetTagged = [try TagPattern("*")]
            },
            now: "2027-01-01T00:00:00Z",
            [
                "v000010: latest, within 1d",
                "v000009: within 1d",
                // 2026-03-02T02:00:00Z is exactly a day before and no longer within it.
                "v000008: within 1d",
                "v000005: pinned",
            ])
    }

    @Test func `versions of the future do not move the period and are within it`() throws {
        try expectReasons(
            { policy in
                policy.keepWithin = try RetentionPeriod(parsing: "30h")
                policy.forgetTagged = [try TagPattern("*")]
            },
            now: "2026-03-02T02:10:00Z",
            [
                "v000010: latest, within 30h", "v000009: within 30h", "v000008: within 30h",
                "v000007: within 30h", "v000006: within 30h", "v000005: pinned",
            ])
    }

    @Test func `when every version is of the future the period keeps all`() throws {
        let plan = try policy { $0.keepWithin = RetentionPeriod(hours: 1) }
            .plan(for: RetentionPolicyTests.store, now: Timestamp(nanoseconds: 0))
        #expect(plan.forgotten.isEmpty)
    }

    @Test func `a version is forgotten only when all its tags are named`() throws {
        let named = try policy {
            $0.keepLast = 1
            $0.forgetTagged = [try TagPattern("nightly-*")]
        }
        #expect(try numbers(named).forgotten == [8, 7, 6, 4, 2, 1])
        let both = try policy {
            $0.keepLast = 1
            $0.forgetTagged = [try TagPattern("nightly-*"), TagPattern(try TagName("candidate"))]
        }
        #expect(try numbers(both).forgotten == [9, 8, 7, 6, 4, 2, 1])
    }

    @Test func `a tag to keep wins over a pattern to forget`() throws {
        let policy = try policy {
            $0.keepTags = [try TagName("nightly-0301")]
            $0.forgetTagged = [try TagPattern("*")]
        }
        #expect(try numbers(policy).kept == [10, 6, 5])
    }

    @Test func `pinned and latest are kept by every policy`() throws {
        let policy = try policy {
            $0.keepYearly = 1
            $0.forgetTagged = [try TagPattern("*")]
        }
        let subjects = [
            version(1, "2026-01-01T00:00:00Z", isPinned: true),
            version(2, "2026-01-03T00:00:00Z", tags: ["a"]),
            // The clock was set back: the newest by time is not the latest.
            version(3, "2026-01-02T00:00:00Z", tags: ["b"]),
        ]
        let plan = try policy.plan(for: subjects, now: RetentionPolicyTests.now)
        #expect(plan.decisions.map(\.reasons) == [["latest"], ["yearly 2026"], ["pinned"]])
    }

    @Test func `versions of one moment go by their numbers`() throws {
        let subjects = (1...4).map { version($0, "2026-01-01T00:00:00Z") }
        let plan = try policy { $0.keepDaily = 1 }.plan(for: subjects, now: RetentionPolicyTests.now)
        #expect(plan.kept.map(\.value) == [4])
        #expect(plan.forgotten.map(\.value) == [3, 2, 1])
    }

    @Test func `the order in which versions are given does not matter`() throws {
        let policy = policy {
            $0.keepDaily = 2
            $0.keepMonthly = 3
        }
        let expected = try policy.plan(for: RetentionPolicyTests.store, now: RetentionPolicyTests.now)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let shuffled = RetentionPolicyTests.store.shuffled(using: &generator)
            #expect(try policy.plan(for: shuffled, now: RetentionPolicyTests.now) == expected)
        }
    }

    @Test func `applying a policy twice forgets nothing more`() throws {
        let policy = try policy {
            $0.keepLast = 1
            $0.keepDaily = 2
            $0.keepWeekly = 2
            $0.forgetTagged = [try TagPattern("*")]
        }
        let kept = try policy.plan(for: RetentionPolicyTests.store, now: RetentionPolicyTests.now).kept
        let rest = RetentionPolicyTests.store.filter { kept.contains($0.number) }
        #expect(try policy.plan(for: rest, now: RetentionPolicyTests.now).forgotten.isEmpty)
    }

    @Test func `unlimited and negative counts keep all`() throws {
        for count in [RetentionPolicy.unlimited, -1, Int.min] {
            #expect(try numbers(policy { $0.keepLast = count }).forgotten.isEmpty)
            let hourly = try policy {
                $0.keepHourly = count
                $0.forgetTagged = [try TagPattern("*")]
            }
            // Of the two versions of one hour the newer.
            #expect(try numbers(hourly).forgotten == [7])
        }
    }

    @Test func `an empty policy is refused`() throws {
        try expectEmpty { _ in }
        try expectEmpty { $0.keepWithin = RetentionPeriod() }
        try expectEmpty { $0.forgetTagged = [try TagPattern("*")] }
        #expect(RetentionPolicy().isEmpty)
    }

    @Test func `a policy of tags that no version has is refused`() throws {
        try expectEmpty { $0.keepTags = [try TagName("nightly-0310")] }
        let also = try policy {
            $0.keepTags = [try TagName("nightly-0310")]
            $0.keepLast = 1
        }
        #expect(try numbers(also).forgotten == [8, 4, 2, 1])
    }

    @Test func `an empty store has nothing to forget`() throws {
        let plan = try policy { $0.keepTags = [try TagName("a")] }.plan(
            for: [], now: RetentionPolicyTests.now)
        #expect(plan.decisions.isEmpty)
    }

    @Test(arguments: [
        ("0", 0), ("7", 7), ("unlimited", RetentionPolicy.unlimited), ("-1", RetentionPolicy.unlimited),
    ])
    func `a count is a number or unlimited`(text: String, count: Int) throws {
        #expect(try RetentionPolicy.parseCount(text) == count)
    }

    @Test(arguments: ["", "-2", "seven", "1.5", "7d", "99999999999999999999", " 7"])
    func `anything else is no count`(text: String) {
        let error = #expect(throws: ObjectError.self) { try RetentionPolicy.parseCount(text) }
        #expect(error?.code == .invalidName)
    }

    private func policy(_ change: (inout RetentionPolicy) throws -> Void) rethrows -> RetentionPolicy {
        var policy = RetentionPolicy()
        try change(&policy)
        return policy
    }

    private func numbers(_ policy: RetentionPolicy) throws -> (kept: [Int64], forgotten: [Int64]) {
        let plan = try policy.plan(for: RetentionPolicyTests.store, now: RetentionPolicyTests.now)
        return (plan.kept.map(\.value), plan.forgotten.map(\.value))
    }

    /// Expects exactly the versions of `lines` to be kept, for the reasons given there.
    private func expectReasons(
        _ change: (inout RetentionPolicy) throws -> Void, now: String? = nil, _ lines: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let plan = try policy(change)
            .plan(for: RetentionPolicyTests.store, now: now.map(time) ?? RetentionPolicyTests.now)
        let found = plan.decisions.filter(\.isKept).map {
            "\($0.number): \($0.reasons.joined(separator: ", "))"
        }
        #expect(found == lines, sourceLocation: sourceLocation)
    }

    private func expectEmpty(
        _ change: (inout RetentionPolicy) throws -> Void, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let policy = try policy(change)
        let error = #expect(throws: ObjectError.self, sourceLocation: sourceLocation) {
            try policy.plan(for: RetentionPolicyTests.store, now: RetentionPolicyTests.now)
        }
        #expect(error?.code == .emptyPolicy, sourceLocation: sourceLocation)
        #expect(error?.hint.isEmpty == false, sourceLocation: sourceLocation)
    }
}

private func time(_ text: String) -> Timestamp {
    guard let date = CivilDate(parsing: text) else { preconditionFailure("\(text) is not a time") }
    return date.timestamp
}

private func version(
    _ number: Int64, _ text: String, tags: [String] = [], isPinned: Bool = false
) -> RetentionSubject {
    RetentionSubject(number: VersionNumber(number), time: time(text), tags: tags, isPinned: isPinned)
}
