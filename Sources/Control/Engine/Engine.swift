internal import Objects
public import Store

/// Performs what a ``ControlRequest`` asks for on a store that this process owns.
///
/// The daemon has one for as long as it runs, with hooks to its mount; the tool has one for the time of a
/// command where no daemon runs. So a command does the same in both cases. Calls are safe from any thread; what
/// must not run at once refuses with `.busy`.
public final class Engine: Sendable {
    let store: Store
    let workspace: Workspace
    let hashing: BackgroundHashing?
    let hooks: MountHooks
    let record = CommitRecord()
    let started = ContinuousClock.now
    /// Held while tags and pins change, and while versions are forgotten for want of them: a version that was
    /// tagged after the plan was made must not go with it.
    let naming = Lock(())

    /// - Parameters:
    ///   - store: opened `.owning`.
    ///   - workspace: the staging that is committed, restored into and so on.
    ///   - hashing: what hashes staged files before a commit does; nil where nothing does.
    public init(
        store: Store, workspace: Workspace, hashing: BackgroundHashing? = nil, hooks: MountHooks = .none
    ) {
        self.store = store
        self.workspace = workspace
        self.hashing = hashing
        self.hooks = hooks
    }

    public var storePath: String { store.path }

    /// Performs `request` and returns the document that `--json` prints.
    ///
    /// - Parameters:
    ///   - caller: the author of what is made, unless the request names one.
    ///   - input: the open file that the request speaks of: an archive to be imported.
    ///   - progress: called from several threads.
    /// - Throws: ``StoreError``. What was refused has changed nothing.
    public func perform(
        _ request: ControlRequest, caller: Caller, input: Descriptor? = nil, progress: Progress = .none
    ) throws(StoreError) -> JSONValue {
        switch request {
        case .commit(let commit): JSONValue(try self.commit(commit, caller: caller, progress: progress))
        case .abort: try abort()
        case .tag(let name, let version, let moves): try tag(name, version, moves: moves)
        case .untag(let names): try untag(names)
        case .pin(let versions): try setPinned(versions, true)
        case .unpin(let versions): try setPinned(versions, false)
        case .annotate(let version, let notes, let author):
            try annotate(version, notes, author: author.isEmpty ? caller.author : author)
        case .restore(let version, let paths, let isForced):
            try restore(version, paths, isForced: isForced)
        case .importTree(let request):
            try importTree(request, input, caller: caller, progress: progress)
        case .forget(let request): try forget(request)
        case .gc(let isDryRun): try collectGarbage(isDryRun: isDryRun, progress: progress)
        case .status(let listsChanges): try status(listsChanges: listsChanges)
        case .unmount: try unmount()
        }
    }

    private func unmount() throws(StoreError) -> JSONValue {
        let mount = hooks.mountStatus()
        try hooks.unmount()
        return ["unmounting": .text(mount?.mountpoint)]
    }
}
