public import Objects

// Forgetting takes versions out of the catalog, with their tags and notes. Their objects stay until the next
// collection of garbage.
extension Store {
    /// What `policy` would keep and forget. Versions that a workspace lies over are kept as well. Changes nothing.
    ///
    /// - Throws: ``StoreError`` `.invalidInput` for a policy that keeps nothing.
    public func planForget(_ policy: RetentionPolicy) throws(StoreError) -> RetentionPlan {
        let versions = try catalog.versions()
        let plan: RetentionPlan
        do throws(ObjectError) {
            plan = try policy.plan(for: versions.map { RetentionSubject($0) }, now: now())
        } catch { throw StoreError(error) }
        let bases = try baseVersions()
        return RetentionPlan(
            decisions: plan.decisions.map { decision in
                let names = bases[decision.number] ?? []
                return .init(
                    number: decision.number,
                    reasons: decision.reasons + names.map { "base of \(Store.display(workspace: $0))" })
            })
    }

    /// Forgets what the plan says, in one durable transaction. A version that has become the latest, was pinned
    /// or came to lie under a workspace since the plan was made is kept after all.
    ///
    /// - Returns: the versions that were forgotten, the newest first.
    @discardableResult
    public func forget(_ plan: RetentionPlan) throws(StoreError) -> [VersionNumber] {
        try exclusively("forget") { () throws(StoreError) in
            let bases = try baseVersions()
            let versions = try catalog.versions()
            let kept = Set(versions.filter(\.isPinned).map(\.number) + versions.suffix(1).map(\.number))
            let numbers = plan.forgotten.filter { !kept.contains($0) && bases[$0] == nil }
            try catalog.remove(numbers)
            return numbers
        }
    }

    /// Forgets the versions named, all of them or none, in one durable transaction.
    ///
    /// - Parameter forgetTagged: tags that do not protect their versions.
    /// - Throws: ``StoreError`` `.unknownVersion`; `.invalidInput` for the latest version, and for one that is
    ///   pinned, has another tag or lies under a workspace.
    public func forget(
        versions numbers: [VersionNumber], forgetTagged: [TagPattern] = []
    ) throws(StoreError) {
        try exclusively("forget") { () throws(StoreError) in
            let bases = try baseVersions()
            let latest = try catalog.latestVersion()?.number
            for number in numbers {
                guard let version = try catalog.version(number) else {
                    // The selector's own search for what was meant.
                    _ = try resolve(number.description)
                    continue
                }
                if let (message, hint) = Store.protection(
                    of: version, isLatest: number == latest, bases: bases[number] ?? [], forgetTagged)
                {
                    throw StoreError(.invalidInput, message, subject: number.description, hint: hint)
                }
            }
            try catalog.remove(numbers)
        }
    }

    /// Why a version must not be forgotten, and what to do about it; nil where it may be.
    private static func protection(
        of version: Version, isLatest: Bool, bases: [String], _ forgetTagged: [TagPattern]
    ) -> (message: String, hint: String)? {
        if isLatest { return ("the latest version is never forgotten", "commit a newer one first") }
        if version.isPinned { return ("the version is pinned", "firn unpin \(version.number)") }
        let tag = version.tags.first { tag in !forgetTagged.contains { $0.matches(tag) } }
        if let tag {
            return ("the version has the tag \(tag)", "delete the tag first: firn tag -d \(tag)")
        }
        guard let name = bases.first else { return nil }
        return ("\(display(workspace: name)) lies over the version", "commit or abort there first")
    }

    /// The versions that workspaces lie over, with the workspaces' names.
    private func baseVersions() throws(StoreError) -> [VersionNumber: [String]] {
        var bases: [VersionNumber: [String]] = [:]
        for name in try workspaceNames() {
            let workspace = try workspace(name)
            try workspace.requireUsable()
            guard let digest = workspace.baseVersion, let version = try catalog.version(digest) else {
                continue
            }
            bases[version.number, default: []].append(name)
        }
        return bases
    }

    private static func display(workspace name: String) -> String {
        name == "main" ? "staging" : "workspace \(name)"
    }
}
