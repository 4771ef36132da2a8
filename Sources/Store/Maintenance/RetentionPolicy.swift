public import Objects

/// Which versions to keep, in restic's words and with its meaning: each rule keeps some versions, and a
/// version that no rule keeps is forgotten.
///
/// 1. Calendar rules go by UTC and count only hours, days, ISO weeks, months and years that have a version;
///    of each they keep the newest. A rule that is not used up at the oldest version keeps that one too.
/// 2. `keepWithin` reaches back from the newest version that is not in the future.
/// 3. The latest version and pinned versions are always kept. A version with a tag is kept unless
///    ``forgetTagged`` names every tag it has. All of them count for the calendar rules like any other.
///
/// "Newest" goes by time, and by number among equal times; "last" and "latest" go by number, so that a clock
/// set back does not cost the version just sealed.
public struct RetentionPolicy: Hashable, Sendable {
    /// Counts: 0 is no rule, ``unlimited`` (or anything negative) keeps all of the kind.
    public var keepLast = 0
    public var keepHourly = 0
    public var keepDaily = 0
    public var keepWeekly = 0
    public var keepMonthly = 0
    public var keepYearly = 0
    /// Keeps every version that is less old than this; a zero period is no rule.
    public var keepWithin = RetentionPeriod()
    /// Keeps versions that have one of these tags, whatever ``forgetTagged`` says.
    public var keepTags: [TagName] = []
    /// Tags that do not protect their versions. This alone keeps nothing, so it is no policy.
    public var forgetTagged: [TagPattern] = []

    public static let unlimited = Int.max

    public init() {}

    /// Without a rule that keeps something; such a policy would forget everything.
    public var isEmpty: Bool {
        keepTags.isEmpty && keepWithin.isZero && keepLast == 0
            && CalendarUnit.allCases.allSatisfy { count($0) == 0 }
    }

    /// Decides about every version of a store.
    ///
    /// - Parameters:
    ///   - versions: all that exist, in any order.
    ///   - now: versions of a later time do not move the period of ``keepWithin``.
    /// - Throws: ``ObjectError`` `.emptyPolicy` when nothing says what to keep: no rule is set, or only
    ///   ``keepTags`` is and no version has any of those tags.
    public func plan(for versions: [RetentionSubject], now: Timestamp) throws(ObjectError) -> RetentionPlan {
        try refuseEmpty(versions)
        var reasons: [VersionNumber: [String]] = [:]
        let byNumber = versions.sorted { $0.number > $1.number }
        for version in byNumber {
            reasons[version.number] = protections(of: version, isLatest: version.number == byNumber[0].number)
        }
        let newest = versions.map(\.time).filter { $0 <= now }.max()
        let start = newest.map { keepWithin.before($0) } ?? Timestamp(nanoseconds: .min)
        for version in versions where !keepWithin.isZero && version.time > start {
            reasons[version.number]?.append("within \(keepWithin)")
        }
        for version in byNumber.prefix(RetentionPolicy.limit(keepLast)) {
            reasons[version.number]?.append("last version")
        }
        let byTime = versions.sorted { ($0.time, $0.number) > ($1.time, $1.number) }
        for unit in CalendarUnit.allCases {
            for (number, reason) in kept(by: unit, of: byTime) { reasons[number]?.append(reason) }
        }
        return RetentionPlan(
            decisions: byNumber.map { .init(number: $0.number, reasons: reasons[$0.number] ?? []) })
    }

    private func refuseEmpty(_ versions: [RetentionSubject]) throws(ObjectError) {
        if isEmpty {
            throw ObjectError(
                .emptyPolicy, "the policy keeps nothing, so it would forget every version",
                hint: "say what to keep, such as --keep-last 10 or --keep-daily 7")
        }
        var withoutTags = self
        withoutTags.keepTags = []
        let wanted = Set(keepTags.map(\.text))
        if withoutTags.isEmpty, !versions.isEmpty,
            !versions.contains(where: { !wanted.isDisjoint(with: $0.tags) })
        {
            throw ObjectError(
                .emptyPolicy, "no version has the only tags that the policy keeps",
                subject: keepTags.map(\.text).joined(separator: ", "),
                hint: "check the tags, or add a rule such as --keep-last 10")
        }
    }

    /// Why a version is kept whatever its age.
    private func protections(of version: RetentionSubject, isLatest: Bool) -> [String] {
        var reasons: [String] = []
        if isLatest { reasons.append("latest") }
        if version.isPinned { reasons.append("pinned") }
        for tag in version.tags {
            let isNamed = keepTags.contains { $0.text == tag }
            if isNamed || !forgetTagged.contains(where: { $0.matches(tag) }) { reasons.append("tag \(tag)") }
        }
        return reasons
    }

    /// - Parameter versions: the newest first.
    private func kept(
        by unit: CalendarUnit, of versions: [RetentionSubject]
    ) -> [(number: VersionNumber, reason: String)] {
        var left = RetentionPolicy.limit(count(unit))
        var last = ""
        var kept: [(VersionNumber, String)] = []
        for (index, version) in versions.enumerated() where left > 0 {
            let label = unit.label(of: CivilDate(version.time))
            let isOldest = index == versions.count - 1
            guard label != last || isOldest else { continue }
            kept.append((version.number, label == last ? "oldest \(label)" : label))
            last = label
            left -= 1
        }
        return kept
    }

    private func count(_ unit: CalendarUnit) -> Int {
        switch unit {
        case .hourly: keepHourly
        case .daily: keepDaily
        case .weekly: keepWeekly
        case .monthly: keepMonthly
        case .yearly: keepYearly
        }
    }

    /// A negative count never comes from ``parseCount(_:)``; keeping all is the reading that loses nothing.
    private static func limit(_ count: Int) -> Int { count < 0 ? unlimited : count }
}

extension RetentionPolicy {
    /// Reads the count of a rule: a number, or `unlimited` (`-1`, as restic has it) to keep all.
    ///
    /// - Throws: ``ObjectError`` `.invalidName` for anything else.
    public static func parseCount(_ text: String) throws(ObjectError) -> Int {
        if text == "unlimited" || text == "-1" { return unlimited }
        guard let count = Int(text), count >= 0 else {
            throw ObjectError(
                .invalidName, "not a count", subject: text, hint: "give a number from 0 up, or 'unlimited'")
        }
        return count
    }
}

/// The stretches of the calendar of which a rule keeps one version each.
private enum CalendarUnit: CaseIterable {
    case hourly, daily, weekly, monthly, yearly

    /// Equal for dates of the same stretch only.
    func label(of date: CivilDate) -> String {
        switch self {
        case .hourly: "hourly \(date.timeText.prefix(13))"
        case .daily: "daily \(date.dateText)"
        case .weekly: "weekly \(date.isoWeek)"
        case .monthly: "monthly \(date.dateText.prefix(7))"
        case .yearly: "yearly \(date.dateText.prefix(4))"
        }
    }
}
