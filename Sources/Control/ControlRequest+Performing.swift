internal import Glibc
public import Store

extension ControlRequest {
    /// Has the store's owner perform this: the daemon where one runs, else this process, which then owns the
    /// store for as long as it takes.
    ///
    /// - Parameter input: the open file that the request speaks of.
    /// - Throws: ``StoreError``, the same in both cases; `.busy` when the store is owned by a process that
    ///   cannot be asked.
    public func perform(
        at storePath: String, input: Descriptor? = nil, progress: Progress = .none
    ) throws(StoreError) -> JSONValue {
        var tries = 0
        while true {
            if let result = try ControlClient.perform(
                self, at: storePath, input: input, progress: progress)
            {
                return result
            }
            do throws(StoreError) {
                return try performAsOwner(storePath, input, progress)
            } catch {
                // Another command's moment, or a daemon that starts, or takes over, and does not listen yet.
                guard error.code == .busy, tries < ControlRequest.triesMax,
                    try StoreOwnership.isOwned(storePath)
                else { throw error }
            }
            tries += 1
            usleep(20_000)
        }
    }

    /// About five seconds.
    private static let triesMax = 250

    private func performAsOwner(
        _ path: String, _ input: Descriptor?, _ progress: Progress
    ) throws(StoreError) -> JSONValue {
        let store = try Store.open(at: path, .owning)
        let result: JSONValue
        do throws(StoreError) {
            let engine = Engine(store: store, workspace: try store.workspace())
            result = try engine.perform(self, caller: .current, input: input, progress: progress)
        } catch {
            try store.close()
            throw error
        }
        try store.close()
        return result
    }
}
