internal import Glibc
internal import Objects
internal import SystemPackage

extension Store {
    /// Looks at everything that versions consist of: each manifest, each tree node and each object, and the
    /// catalog's file. May run beside the owner; versions that are forgotten meanwhile are left out.
    ///
    /// - Parameters:
    ///   - deep: re-hashes the bytes of every object, on all cores; otherwise only its presence and its size are
    ///     looked at.
    ///   - progress: counts bytes, or objects where they are not read.
    /// - Throws: what prevents looking; never for damage.
    public func verify(deep: Bool = true, progress: Progress = .none) throws(StoreError) -> VerifyReport {
        var report = VerifyReport()
        for message in try catalog.quickCheck() {
            report.problems.append(VerifyProblem(.catalog, nil, message))
        }
        let rows = try catalog.versionRows()
        let versions = VersionCheck.run(rows, &report)
        let scan = TreeScan(catalog)
        for version in versions { try scan.add(version.manifest.root) }
        report.nodes = scan.nodeCount
        report.blobs = scan.sizes.count
        report.bytes = scan.sizes.values.reduce(0) { $0 &+ $1 }

        let bad = try badObjects(scan.sizes, deep: deep, progress)
        // A version that is gone by now took its objects with it.
        let kept = Set(try catalog.numbers())
        let found = try scan.locate(bad + scan.problems, in: versions.filter { kept.contains($0.number) })
        report.problems += found.filter { $0.useCount > 0 }
        return report
    }

    private func badObjects(
        _ sizes: [Digest: UInt64], deep: Bool, _ progress: Progress
    ) throws(StoreError) -> [VerifyProblem] {
        progress.begin(
            "verifying", total: deep ? sizes.values.reduce(0) { $0 &+ $1 } : UInt64(sizes.count))
        let problems = Lock<[VerifyProblem]>([])
        let work = sizes.sorted { $0.key < $1.key }
        try Parallel.forEach(work) { [blobs] item throws(StoreError) in
            let check = ObjectCheck(blobs, item.key, size: item.value)
            let problem = try check.run(deep: deep) { progress.advance($0) }
            if !deep { progress.advance(1) }
            if let problem { problems.withLock { $0.append(problem) } }
        }
        return problems.withLock { $0 }.sorted { ($0.digest?.hex ?? "") < ($1.digest?.hex ?? "") }
    }
}

/// Looks at one object's file.
private struct ObjectCheck {
    private let blobs: BlobStore
    private let digest: Digest
    private let size: UInt64

    init(_ blobs: BlobStore, _ digest: Digest, size: UInt64) {
        self.blobs = blobs
        self.digest = digest
        self.size = size
    }

    func run(deep: Bool, _ advance: (UInt64) -> Void) throws(StoreError) -> VerifyProblem? {
        do throws(StoreError) {
            guard let status = try blobs.status(digest) else {
                return problem(.missing, "the object's file is missing")
            }
            let found = UInt64(status.st_size)
            guard found == size else {
                return problem(.wrongSize, "the object has \(found) bytes instead of \(size)")
            }
            guard deep else { return nil }
            let file = try blobs.open(digest)
            guard try BlobStore.hash(file.fd, progress: advance).digest == digest else {
                return problem(.damaged, "the object's bytes do not match its digest")
            }
            return nil
        } catch {
            switch error.code {
            case .damaged: return problem(.missing, error.message)
            case .system(.ioError): return problem(.damaged, "the object cannot be read: \(error.message)")
            default: throw error
            }
        }
    }

    private func problem(_ kind: VerifyProblem.Kind, _ message: String) -> VerifyProblem {
        VerifyProblem(kind, digest, message)
    }
}

/// Looks at the manifests and at the chain they form.
private enum VersionCheck {
    /// - Returns: the versions whose manifests are sound.
    static func run(
        _ rows: [Catalog.VersionRow], _ report: inout VerifyReport
    ) -> [(number: VersionNumber, manifest: Manifest)] {
        report.versions = rows.count
        var numbers: [Digest: VersionNumber] = [:]
        for row in rows { if let digest = row.digest { numbers[digest] = row.number } }
        var sound: [(number: VersionNumber, manifest: Manifest)] = []
        for row in rows {
            func add(_ kind: VerifyProblem.Kind, _ message: String) {
                var problem = VerifyProblem(kind, row.digest, message)
                problem.add(row.number, .root)
                report.problems.append(problem)
            }
            guard Digest.of(row.manifest) == row.digest else {
                add(.manifest, "the manifest does not match its digest")
                continue
            }
            do throws(ObjectError) {
                let manifest = try Manifest(decoding: row.manifest)
                sound.append((row.number, manifest))
                // A parent that is not there was forgotten.
                if let parent = manifest.parent.flatMap({ numbers[$0] }), parent >= row.number {
                    add(.chain, "its parent is \(parent), which came after it")
                }
            } catch {
                add(.manifest, "the manifest cannot be read: \(error.message)")
            }
        }
        return sound
    }
}
