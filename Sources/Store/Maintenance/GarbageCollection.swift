internal import Objects
internal import SystemPackage

/// What a collection of garbage removed, or would.
public struct GarbageSummary: Hashable, Sendable {
    /// Tree nodes that no version and no workspace reaches.
    public var nodes = 0
    /// Blobs of the same kind.
    public var blobs = 0
    /// Files below `objects/` that were no blob of the catalog: what interrupted commits left.
    public var orphans = 0
    /// Disk space of all files removed.
    public var bytes: UInt64 = 0
    public var keptNodes = 0
    public var keptBlobs = 0

    public init() {}
}

extension Store {
    /// Removes what nothing refers to any more: neither a version nor what is staged.
    ///
    /// Commits wait until it is done, and so do changes in a workspace while its references are read. Rows go
    /// first, in one transaction, then files: a crash between leaves orphans for the next collection.
    ///
    /// - Parameters:
    ///   - dryRun: changes nothing.
    ///   - progress: counts files.
    /// - Throws: ``StoreError`` `.damaged` where a tree cannot be read, so that it is not known what it refers to.
    ///   Nothing is removed then.
    public func collectGarbage(
        dryRun: Bool = false, progress: Progress = .none
    ) throws(StoreError) -> GarbageSummary {
        try exclusively("gc") { () throws(StoreError) in
            let mark = try self.mark()
            let rows = try dryRun ? catalog.unreached(by: mark) : catalog.sweep(mark)
            var summary = GarbageSummary()
            summary.nodes = rows.nodes
            summary.keptNodes = mark.nodes.count
            summary.keptBlobs = mark.blobs.count
            let known = Set(rows.blobs)
            let dead = try blobs.all().filter { !mark.blobs.contains($0) }
            progress.begin(dryRun ? "looking" : "removing", total: UInt64(dead.count))
            for digest in dead {
                summary.bytes += try dryRun ? blobs.diskByteCount(digest) : blobs.remove(digest)
                if !known.contains(digest) { summary.orphans += 1 }
                progress.advance(1)
            }
            summary.blobs = rows.blobs.count
            return summary
        }
    }

    private func mark() throws(StoreError) -> Mark {
        // Without the cache of the mount's own trees, which would be flushed.
        var mark = Mark(TreeStore { [catalog] digest throws(StoreError) in try catalog.nodeBytes(digest) })
        for name in try workspaceNames() {
            let workspace = try workspace(name)
            try workspace.gate.close { () throws(StoreError) in try mark.workspace(workspace) }
        }
        for version in try catalog.versions() {
            if let tree = version.manifest.root.tree { try mark.tree(tree) }
        }
        return mark
    }
}
