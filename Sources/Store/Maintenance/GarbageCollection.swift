internal import Objects
internal import SystemPackage

/// What a sweep removed, or would remove.
public struct GarbageSummary: Hashable, Sendable {
    /// Tree nodes no version needs.
    public var nodes = 0
    /// Objects no version needs, those of interrupted commits among them.
    public var blobs = 0
    /// Bytes of disk that the objects held.
    public var bytes: UInt64 = 0
    /// Objects that stay.
    public var keptBlobs = 0
}

extension Store {
    /// Removes every tree node and object that neither a version nor a workspace refers to.
    ///
    /// The rows go first, in one transaction, then the files: a crash between leaves files nobody knows, which
    /// the next sweep removes. No commit runs at the same time; reads and writes of the mount go on.
    ///
    /// - Parameter dryRun: only counts.
    public func collectGarbage(
        dryRun: Bool, progress: Progress = .none
    ) throws(StoreError) -> GarbageSummary {
        try exclusively("gc") { () throws(StoreError) in
            let mark = try markEverything()
            var summary = GarbageSummary()
            summary.keptBlobs = mark.blobs.count
            let kept = Set(mark.blobs.keys)
            summary.nodes =
                dryRun
                ? try catalog.nodeCount() - mark.nodes.count
                : try catalog.sweep(nodesExcept: mark.nodes, blobsExcept: kept).nodes
            let rubbish = try blobs.all().filter { !kept.contains($0) }
            progress.begin("sweeping", total: UInt64(rubbish.count))
            for digest in rubbish {
                summary.bytes += dryRun ? try blobs.allocated(digest) : try blobs.remove(digest)
                summary.blobs += 1
                progress.advance(1)
            }
            return summary
        }
    }

    /// What all versions and workspaces refer to.
    private func markEverything() throws(StoreError) -> Mark {
        var mark = Mark(trees)
        try mark.add(tree: Digest.of(TreeNode.empty.encoded()))
        for version in try versions() {
            if let root = version.manifest.root.tree { try mark.add(tree: root) }
        }
        for name in try workspaceNames() {
            let workspace = try workspace(name)
            var found: [UpperMark.Base] = []
            // Closed, so that no rename carries a mark from where the walk will be to where it has been.
            try workspace.gate.close { () throws(StoreError) in
                try workspace.forEachMark { found.append($0) }
            }
            for base in found {
                switch base {
                case .tree(let digest): try mark.add(tree: digest)
                case .blob(let digest, let size): mark.add(blob: digest, size: size)
                }
            }
        }
        return mark
    }
}

extension Workspace {
    /// Every mark in `upper/`. The gate must be closed.
    fileprivate func forEachMark(_ body: (UpperMark.Base) -> Void) throws(StoreError) {
        let top = try place([])
        if let base = try overlay.probe(top)?.mark.base { body(base) }
        try forEachMark(below: top, body)
    }

    private func forEachMark(below place: Place, _ body: (UpperMark.Base) -> Void) throws(StoreError) {
        let names = try system("list", place.display) { () throws(Errno) in
            try Syscall.names(at: place.fd, place.path)
        }
        for name in names {
            let child = try place.child(name)
            guard let found = try overlay.probe(child) else { continue }
            if let base = found.mark.base { body(base) }
            if found.isDirectory { try forEachMark(below: child, body) }
        }
    }
}
