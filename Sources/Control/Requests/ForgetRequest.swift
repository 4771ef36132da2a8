internal import Objects
public import Store

/// Which versions to forget: those that a policy does not keep, or those that are named.
public enum ForgetRequest: Hashable, Sendable {
    case policy(RetentionPolicy)
    /// Selectors, each of one version.
    case versions([String])
}

extension ForgetRequest {
    init(from fields: inout JSONFields) throws(StoreError) {
        let versions = try fields.texts("versions")
        var policy = RetentionPolicy()
        for (key, path) in ForgetRequest.counts {
            guard let value = fields.value(key) else { continue }
            policy[keyPath: path] = try ForgetRequest.count(value, key)
        }
        if let text = try fields.text("keep_within") {
            do throws(ObjectError) { policy.keepWithin = try RetentionPeriod(parsing: text) } catch {
                throw StoreError(error)
            }
        }
        policy.keepTags = try CommitRequest.tags(try fields.texts("keep_tags"))
        for text in try fields.texts("forget_tags") {
            do throws(ObjectError) { policy.forgetTagged.append(try TagPattern(text)) } catch {
                throw StoreError(error)
            }
        }
        self = versions.isEmpty ? .policy(policy) : .versions(versions)
    }

    private static func count(_ value: JSONValue, _ key: String) throws(StoreError) -> Int {
        let text = value.string ?? value.integer.map { String($0) } ?? ""
        do throws(ObjectError) { return try RetentionPolicy.parseCount(text) } catch {
            throw StoreError(.invalidInput, error.message, subject: key, hint: error.hint)
        }
    }

    private static var counts: [(String, WritableKeyPath<RetentionPolicy, Int>)] {
        [
            ("keep_last", \.keepLast), ("keep_hourly", \.keepHourly), ("keep_daily", \.keepDaily),
            ("keep_weekly", \.keepWeekly), ("keep_monthly", \.keepMonthly), ("keep_yearly", \.keepYearly),
        ]
    }

    var json: JSONValue {
        switch self {
        case .versions(let versions): return ["versions": .texts(versions)]
        case .policy(let policy):
            let counts = ForgetRequest.counts.map { key, path in
                let count = policy[keyPath: path]
                return JSONValue.Member(
                    key, count == RetentionPolicy.unlimited ? "unlimited" : .integer(count))
            }
            return JSONValue.object(counts).appending([
                "keep_within": policy.keepWithin.isZero ? .null : .string(policy.keepWithin.description),
                "keep_tags": .texts(policy.keepTags.map(\.text)),
                "forget_tags": .texts(policy.forgetTagged.map(\.text)),
            ])
        }
    }
}
