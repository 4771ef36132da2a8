public import Objects
internal import SystemPackage

/// One thing that is not as it was sealed.
public struct VerifyProblem: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// An object's file is not there.
        case missing
        /// An object's bytes have another digest.
        case damaged
        /// An object has another size than its entries say.
        case wrongSize = "wrong_size"
        /// A tree node is missing or unreadable: what lies below it cannot be found.
        case node
        /// The catalog itself is damaged.
        case catalog
    }

    /// Where the thing is used.
    public struct Use: Hashable, Sendable {
        public let version: VersionNumber
        public let path: TreePath
    }

    public let kind: Kind
    /// nil for the catalog as a whole.
    public let digest: Digest?
    public let message: String
    /// The first of them; ``useCount`` says how many there are.
    public var uses: [Use]
    public var useCount: Int
}

/// What verifying found.
public struct VerifyReport: Hashable, Sendable {
    public var problems: [VerifyProblem] = []
    public var versions = 0
    public var nodes = 0
    public var blobs = 0
    /// Bytes that were hashed.
    public var bytes: UInt64 = 0

    public var isClean: Bool { problems.isEmpty }
}

extension Store {
    /// Hashes everything that the versions refer to, and compares. A reader may do it beside a daemon.
    ///
    /// - Parameter deep: hash the bytes of objects; otherwise only look whether they are there and how large.
    /// - Throws: ``StoreError`` for what prevents looking. Damage is in the report.
    public func verify(deep: Bool = true, progress: Progress = .none) throws(StoreError) -> VerifyReport {
        var report = VerifyReport()
        let complaints = try catalog.check()
        report.problems = complaints.map {
            VerifyProblem(kind: .catalog, digest: nil, message: $0, uses: [], useCount: 0)
        }
        // Decoding them compares their digests.
        let versions = try versions()
        report.versions = versions.count
        var mark = Mark(trees)
        for version in versions {
            guard let root = version.manifest.root.tree else { continue }
            try mark.add(tree: root) { digest, error in
                report.problems.append(
                    VerifyProblem(kind: .node, digest: digest, message: error.message, uses: [], useCount: 0))
            }
        }
        report.nodes = mark.nodes.count
        report.blobs = mark.blobs.count
        report.bytes = mark.blobs.values.reduce(0) { $0 &+ $1 }
        report.problems += try damagedBlobs(mark.blobs, deep: deep, progress)
        try findUses(of: &report.problems, in: versions)
        return report
    }

    private func damagedBlobs(
        _ blobs: [Digest: UInt64], deep: Bool, _ progress: Progress
    ) throws(StoreError) -> [VerifyProblem] {
        progress.begin("verifying", total: blobs.values.reduce(0) { $0 &+ $1 })
        let found = Lock([VerifyProblem]())
        try Parallel.forEach(blobs.sorted { $0.key < $1.key }) { blob throws(StoreError) in
            let problem = try self.problem(blob.key, size: blob.value, deep: deep, progress)
            if let problem { found.withLock { $0.append(problem) } }
        }
        return found.withLock { $0 }.sorted { ($0.digest?.hex ?? "") < ($1.digest?.hex ?? "") }
    }

    private func problem(
        _ digest: Digest, size: UInt64, deep: Bool, _ progress: Progress
    ) throws(StoreError) -> VerifyProblem? {
        func problem(_ kind: VerifyProblem.Kind, _ message: String) -> VerifyProblem {
            VerifyProblem(kind: kind, digest: digest, message: message, uses: [], useCount: 0)
        }
        guard let status = try blobs.status(digest) else { return problem(.missing, "the object is missing") }
        let found = FileStatus(status).size
        guard found == size else {
            return problem(.wrongSize, "the object has \(found) bytes instead of \(size)")
        }
        guard deep else { return nil }
        do throws(StoreError) {
            let blob = try blobs.open(digest)
            let actual = try BlobStore.hash(blob.fd) { progress.advance($0) }.digest
            return actual == digest ? nil : problem(.damaged, "the object's bytes have the digest \(actual)")
        } catch {
            // A disk that cannot read the bytes has damaged them.
            if error.errno == .ioError { return problem(.damaged, error.message) }
            throw error
        }
    }

    /// Finds the versions and paths of what is damaged; walks everything, and only when something is.
    private func findUses(
        of problems: inout [VerifyProblem], in versions: [Version]
    ) throws(StoreError) {
        var index: [Digest: Int] = [:]
        for (position, problem) in problems.enumerated() {
            if let digest = problem.digest { index[digest] = position }
        }
        if index.isEmpty { return }
        for version in versions {
            guard let root = version.manifest.root.tree else { continue }
            visit(root, at: .root) { digest, path in
                guard let position = index[digest] else { return }
                problems[position].useCount += 1
                if problems[position].uses.count < Store.useCountMax {
                    problems[position].uses.append(VerifyProblem.Use(version: version.number, path: path))
                }
            }
        }
    }

    private static let useCountMax = 1000

    /// Every node and blob below `digest` with the path it is used at; what cannot be read is passed over.
    private func visit(_ digest: Digest, at path: TreePath, _ body: (Digest, TreePath) -> Void) {
        body(digest, path)
        switch try? trees.node(digest) {
        case nil: return
        case .inner(_, let children): for child in children { visit(child.digest, at: path, body) }
        case .leaf(let entries):
            for entry in entries {
                let entryPath = path.appending(entry.name)
                if let blob = entry.blob { body(blob, entryPath) }
                if let tree = entry.tree { visit(tree, at: entryPath, body) }
            }
        }
    }
}
