import ArgumentParser
import Control
import Objects
import Store

/// A retention policy, in restic's words.
struct PolicyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The newest so many versions.", valueName: "count"))
    var keepLast: String?

    @Option(help: ArgumentHelp("The newest version of so many hours.", valueName: "count"))
    var keepHourly: String?

    @Option(help: ArgumentHelp("The newest version of so many days.", valueName: "count"))
    var keepDaily: String?

    @Option(help: ArgumentHelp("The newest version of so many weeks.", valueName: "count"))
    var keepWeekly: String?

    @Option(help: ArgumentHelp("The newest version of so many months.", valueName: "count"))
    var keepMonthly: String?

    @Option(help: ArgumentHelp("The newest version of so many years.", valueName: "count"))
    var keepYearly: String?

    @Option(help: ArgumentHelp("Versions less old than this, such as 36h, 7d or 1y6m.", valueName: "period"))
    var keepWithin: String?

    @Option(help: ArgumentHelp("Versions with this tag. May be repeated.", valueName: "tag"))
    var keepTag: [String] = []

    @Option(
        help: ArgumentHelp(
            "Tags that protect no longer; * and ? as in a shell. May be repeated.", valueName: "pattern"))
    var forgetTag: [String] = []

    /// Whether anything was said.
    var isGiven: Bool {
        !keepTag.isEmpty || !forgetTag.isEmpty || keepWithin != nil || counts.contains { $0.text != nil }
    }

    private var counts: [(text: String?, path: WritableKeyPath<RetentionPolicy, Int>)] {
        [
            (keepLast, \.keepLast), (keepHourly, \.keepHourly), (keepDaily, \.keepDaily),
            (keepWeekly, \.keepWeekly), (keepMonthly, \.keepMonthly), (keepYearly, \.keepYearly),
        ]
    }

    /// - Throws: ``StoreError`` `.invalidInput` for a count, period, tag or pattern that is none.
    func policy() throws(StoreError) -> RetentionPolicy {
        var policy = RetentionPolicy()
        do throws(ObjectError) {
            for (text, path) in counts {
                if let text { policy[keyPath: path] = try RetentionPolicy.parseCount(text) }
            }
            if let keepWithin { policy.keepWithin = try RetentionPeriod(parsing: keepWithin) }
            for pattern in forgetTag { policy.forgetTagged.append(try TagPattern(pattern)) }
        } catch { throw StoreError(error) }
        policy.keepTags = try CommitRequest.tags(keepTag)
        return policy
    }
}
