public import Objects

// Forgetting versions. What only they had stays on disk until it is swept: see GarbageCollection.swift.
extension Store {
    /// What `policy` would forget, and why it keeps the rest. Nothing is changed.
    ///
    /// A version that a workspace lies over is kept whatever the policy says.
    ///
    /// - Throws: ``StoreError`` `.invalidInput` for a policy that keeps nothing by any rule.
    public func planForget(_ policy: RetentionPolicy) throws(StoreError) -> RetentionPlan {
        let versions = try versions()
        let bases = try workspaceBases()
        let plan: RetentionPlan
        do throws(ObjectError) {
            plan = try policy.plan(for: versions.map { RetentionSubject($0) }, now: now())
        } catch {
            throw StoreError(error)
        }
        let baseNumbers = Set(versions.filter { bases.contains($0.digest) }.map(\.number))
        return RetentionPlan(
            decisions: plan.decisions.map { decision in
                guard !decision.isKept, baseNumbers.contains(decision.number) else { return decision }
                return RetentionPlan.Decision(number: decision.number, reasons: ["base of a workspace"])
            })
    }

    /// Forgets what the plan does not keep, in one durable transaction.
    ///
    /// - Returns: the numbers that are gone now, the newest first.
    @discardableResult
    public func forget(_ plan: RetentionPlan) throws(StoreError) -> [VersionNumber] {
        try exclusively("forget") { () throws(StoreError) in
            try catalog.remove(plan.forgotten)
            return plan.forgotten
        }
    }

    /// Forgets versions by name.
    ///
    /// - Throws: ``StoreError`` `.invalidInput` when one of them is the latest, pinned, tagged or the base of a
    ///   workspace; nothing is forgotten then.
    public func forget(versions numbers: [VersionNumber]) throws(StoreError) {
        try exclusively("forget") { () throws(StoreError) in
            let latest = try latest()?.number
            let bases = try workspaceBases()
            for number in numbers {
                guard let version = try version(number) else { continue }
                if let (reason, hint) = protection(of: version, latest, bases) {
                    throw StoreError(.invalidInput, reason, subject: number.description, hint: hint)
                }
            }
            try catalog.remove(numbers)
        }
    }

    private func protection(
        of version: Version, _ latest: VersionNumber?, _ bases: Set<Digest>
    ) -> (reason: String, hint: String)? {
        if version.number == latest { return ("the latest version is never forgotten", "commit another first") }
        if version.isPinned { return ("the version is pinned", "unpin it first: firn unpin \(version.number)") }
        if let tag = version.tags.first {
            return ("the version has the tag \(tag)", "delete the tag first: firn tag -d \(tag)")
        }
        if bases.contains(version.digest) { return ("a workspace lies over the version", "commit or abort it first") }
        return nil
    }

    /// The versions that workspaces will name as parents.
    func workspaceBases() throws(StoreError) -> Set<Digest> {
        var bases: Set<Digest> = []
        for name in try workspaceNames() {
            if let base = try workspace(name).baseVersion { bases.insert(base) }
        }
        return bases
    }
}
