internal import Objects
internal import Store

extension Engine {
    func forget(_ request: ForgetRequest) throws(StoreError) -> JSONValue {
        let document = try naming.withLock { _ throws(StoreError) in
            switch request {
            case .policy(let policy):
                let plan = try store.planForget(policy)
                let document = try store.forgetJSON(plan, isDryRun: false)
                _ = try store.forget(plan)
                return document
            case .versions(let selectors):
                let numbers = try self.numbers(selectors)
                try store.forget(versions: numbers)
                return JSONValue.forgotten(numbers, decisions: [], isDryRun: false)
            }
        }
        hooks.versionsChanged(nil)
        return document
    }

    func collectGarbage(isDryRun: Bool, progress: Progress) throws(StoreError) -> JSONValue {
        // Also where it fails, having removed some.
        defer { hooks.objectsRemoved() }
        let summary = try store.collectGarbage(dryRun: isDryRun, progress: progress)
        return [
            "dry_run": .bool(isDryRun), "removed_blobs": .integer(summary.blobs),
            "removed_nodes": .integer(summary.nodes), "freed_bytes": .integer(summary.bytes),
            "kept_blobs": .integer(summary.keptBlobs),
        ]
    }
}
