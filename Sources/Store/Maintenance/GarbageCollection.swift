internal import Objects
internal import SystemPackage

/// What a collection of garbage removed, or would.
public struct GarbageSummary: Hashable, Sendable {
    /// Tree nodes that no version and no workspace reaches, and that none of those are kept as deltas of.
    public var nodes = 0
    /// Objects of the same kind, orphans among them.
    public var blobs = 0
    /// Objects that the catalog did not know: what interrupted commits left.
    public var orphans = 0
    /// Bytes of disk that the objects held.
    public var bytes: UInt64 = 0
    /// Tree nodes and objects that stay.
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
            if !dryRun { try catalog.removeInodeNumbers(in: try goneDirectoriesWithNumbers()) }
            var summary = GarbageSummary()
            summary.nodes = rows.nodes
            summary.keptNodes = mark.nodes.count + rows.bases
            summary.keptBlobs = mark.blobs.count
            let known = Set(rows.blobs)
            let dead = try blobs.all().filter { !mark.blobs.contains($0) }
            progress.begin(dryRun ? "looking" : "removing", total: UInt64(dead.count))
            for digest in dead {
                summary.bytes += try dryRun ? blobs.allocated(digest) : blobs.remove(digest)
                summary.blobs += 1
                if !known.contains(digest) { summary.orphans += 1 }
                progress.advance(1)
            }
            return summary
        }
    }

    private func mark() throws(StoreError) -> Mark {
        // Without the cache of the mount's own trees, which would be flushed.
        var mark = Mark(TreeStore { [catalog] digest throws(StoreError) in try catalog.nodeBytes(digest) })
        for name in try workspaceNames() {
            let workspace = try workspace(name)
            // Closed, so that no rename carries a reference from where the walk will be to where it has been.
            let bases = try workspace.gate.close { () throws(StoreError) in try workspace.bases() }
            for base in bases { try mark.add(base) }
        }
        for version in try catalog.versions() {
            if let tree = version.manifest.root.tree { try mark.add(tree: tree) }
        }
        return mark
    }
}

extension Workspace {
    /// What its `upper/` refers to, and its `next/`, which is its `upper/` to be after a commit whose swap failed.
    /// The gate must be closed.
    fileprivate func bases() throws(StoreError) -> [UpperMark.Base] {
        var bases: [UpperMark.Base] = []
        var pending = [Workspace.upperName, Workspace.nextName].map { Place(directory: directory, path: $0) }
        while let place = pending.popLast() {
            guard let found = try overlay.probe(place) else { continue }
            if let base = found.mark.base { bases.append(base) }
            guard found.isDirectory else { continue }
            let names = try system("list", place.display) { () throws(Errno) in
                try Syscall.names(at: place.fd, place.path)
            }
            for name in names { pending.append(try place.child(name)) }
        }
        return bases
    }
}
