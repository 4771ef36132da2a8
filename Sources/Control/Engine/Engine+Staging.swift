internal import Objects
internal import Store

// What replaces staging or parts of it.
extension Engine {
    func abort() throws(StoreError) -> JSONValue {
        let staged = try store.stagedCount(workspace)
        try store.abort(workspace) { () throws(StoreError) in try hooks.replaced([.root]) }
        hooks.afterReplace()
        return ["discarded": JSONValue(staged)]
    }

    func restore(_ selector: String, _ paths: [TreePath], isForced: Bool) throws(StoreError) -> JSONValue {
        let version = try store.resolve(selector)
        // Some paths may have changed before another is refused.
        defer { hooks.afterReplace() }
        let paths = paths.isEmpty ? [.root] : paths
        try store.restore(
            version, paths: paths, into: workspace, force: isForced, replaced: hooks.replaced)
        return [
            "version": .string(version.number.description),
            "restored": .array(paths.map { .path($0) }),
        ]
    }

    func importTree(
        _ request: ImportRequest, caller: Caller, progress: Progress
    ) throws(StoreError) -> JSONValue {
        if request.commit != nil, !request.isForced { try requireNothingStaged() }
        let source = String(decoding: request.source, as: UTF8.self)
        let summary = try store.importTree(
            from: source, at: request.target, into: workspace, force: request.isForced, progress: progress,
            replaced: hooks.replaced)
        hooks.afterReplace()
        let imported: JSONValue = [
            "source": .string(source), "target": JSONValue.path(request.target)["path"],
            "files": .integer(summary.files), "directories": .integer(summary.directories),
            "others": .integer(summary.others), "bytes": .integer(summary.bytes),
        ]
        guard let commit = request.commit else { return ["imported": imported, "commit": .null] }
        do throws(StoreError) {
            let outcome = try self.commit(commit, caller: caller, progress: progress)
            return ["imported": imported, "commit": JSONValue(outcome)]
        } catch {
            // What was imported is what the base has; left staged it would be in the way of the next import.
            if error.code == .nothingToCommit { _ = try abort() }
            throw error
        }
    }

    /// A version that is to hold an import must not hold other changes unasked.
    private func requireNothingStaged() throws(StoreError) {
        let staged = try store.stagedCount(workspace)
        guard staged.entries > 0 else { return }
        throw StoreError(
            .stagedChanges,
            "there are \(staged.entries) staged changes that would be committed with the import",
            subject: "staging",
            hint: "commit or abort them first, or give --force to commit everything, or --no-commit")
    }
}

extension JSONValue {
    init(_ staged: StagedSummary) {
        self = [
            "entries": .integer(staged.entries), "files": .integer(staged.files),
            "bytes": .integer(staged.bytes),
        ]
    }
}
