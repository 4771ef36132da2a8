internal import Objects
internal import Store
internal import SystemPackage

// What replaces staging or parts of it.
extension Engine {
    func abort() throws(StoreError) -> JSONValue {
        let staged = try store.stagedCount(workspace)
        hooks.replacing(true)
        defer { hooks.replacing(false) }
        try store.abort(
            workspace, replaced: { () throws(StoreError) in try hooks.replaced([.root]) },
            opened: hooks.afterReplace)
        return ["discarded": JSONValue(staged)]
    }

    func restore(_ selector: String, _ paths: [TreePath], isForced: Bool) throws(StoreError) -> JSONValue {
        let version = try store.resolve(selector)
        let paths = paths.isEmpty ? [.root] : paths
        hooks.replacing(true)
        defer { hooks.replacing(false) }
        try store.restore(
            version, paths: paths, into: workspace, force: isForced, replaced: hooks.replaced,
            opened: hooks.afterReplace)
        return [
            "version": .string(version.number.description),
            "restored": .array(paths.map { .path($0) }),
        ]
    }

    func importTree(
        _ request: ImportRequest, _ input: Descriptor?, caller: Caller, progress: Progress
    ) throws(StoreError) -> JSONValue {
        try requireSameRights(caller)
        if request.commit != nil, !request.isForced { try requireNothingStaged() }
        let summary = try bringIn(request, input, progress)
        let imported: JSONValue = [
            "source": JSONValue.path(request.source)["path"],
            "target": JSONValue.path(request.target)["path"],
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

    private func bringIn(
        _ request: ImportRequest, _ input: Descriptor?, _ progress: Progress
    ) throws(StoreError) -> ImportSummary {
        hooks.replacing(true)
        defer { hooks.replacing(false) }
        guard request.isArchive else {
            return try store.importTree(
                from: RawPath(request.source), at: request.target, into: workspace, force: request.isForced,
                progress: progress, replaced: hooks.replaced, opened: hooks.afterReplace)
        }
        guard let input else {
            throw StoreError(.invalidInput, "the archive's open file did not come with the request")
        }
        return try store.importArchive(
            from: input, named: RawPath(request.source).display, at: request.target, into: workspace,
            force: request.isForced, progress: progress, replaced: hooks.replaced, opened: hooks.afterReplace)
    }

    /// An import reads and makes files with the rights of this process: the owner of a store that root has mounted
    /// must not get at others' files, nor make set-id programs of root's, by way of it.
    private func requireSameRights(_ caller: Caller) throws(StoreError) {
        guard caller.uid != 0, caller.uid != Syscall.effectiveUser else { return }
        throw StoreError(
            .system(.notPermitted), "the daemon belongs to another user, with whose rights it would import",
            subject: "import", hint: "run as that user, or copy into staging/ of the mount (cp -a, tar -x)")
    }

    /// A version that is to hold an import must not hold other changes unasked.
    private func requireNothingStaged() throws(StoreError) {
        let staged = try store.stagedCount(workspace)
        guard staged.entries > 0 else { return }
        throw StoreError(
            .stagedChanges,
            staged.entries == 1
                ? "there is a staged change that would be committed with the import"
                : "there are \(staged.entries) staged changes that would be committed with the import",
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
