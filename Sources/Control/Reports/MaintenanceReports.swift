internal import Objects
public import Store

extension Store {
    /// What `firn forget` says of a plan: each version's fate and the reasons for keeping it.
    public func forgetJSON(_ plan: RetentionPlan, isDryRun: Bool) throws(StoreError) -> JSONValue {
        var versions: [VersionNumber: Version] = [:]
        for version in try self.versions() { versions[version.number] = version }
        let decisions = plan.decisions.map { decision -> JSONValue in
            let version = versions[decision.number]
            return [
                "version": .string(decision.number.description),
                "time": version.map { .time($0.manifest.time) } ?? .null,
                "tags": .texts(version?.tags ?? []),
                "message": .text(version?.manifest.message),
                "kept": .bool(decision.isKept),
                "reasons": .texts(decision.reasons),
            ]
        }
        return .forgotten(plan.forgotten, decisions: decisions, isDryRun: isDryRun)
    }
}

extension JSONValue {
    static func forgotten(
        _ numbers: [VersionNumber], decisions: [JSONValue], isDryRun: Bool
    ) -> JSONValue {
        [
            "dry_run": .bool(isDryRun), "forgotten": .texts(numbers.map(\.description)),
            "decisions": .array(decisions),
        ]
    }

    /// What `firn verify` found.
    public init(_ report: VerifyReport) {
        self = [
            "clean": .bool(report.isClean), "versions": .integer(report.versions),
            "nodes": .integer(report.nodes), "blobs": .integer(report.blobs), "bytes": .integer(report.bytes),
            "problems": .array(report.problems.map { JSONValue($0) }),
        ]
    }

    private init(_ problem: VerifyProblem) {
        self = [
            "kind": .string(problem.kind.rawValue), "digest": .text(problem.digest?.hex),
            "message": .string(problem.message), "use_count": .integer(problem.useCount),
            "uses": .array(
                problem.uses.map {
                    JSONValue.object([.init("version", .string($0.version.description))])
                        .appending(.path($0.path))
                }),
        ]
    }
}
