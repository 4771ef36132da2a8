internal import Glibc
public import Objects
internal import Store
internal import SystemPackage

/// All that a store promises to keep, read out completely: what two stores must have in common to be the same.
public struct StoreState: Equatable, Sendable {
    public struct SealedVersion: Equatable, Sendable {
        public let number: VersionNumber
        public let digest: Digest
        public let tags: [String]
        public let isPinned: Bool
        public let annotations: [Annotation]
        public let entries: [TreePath: TreeEntry]
        /// By path.
        public let files: [TreePath: [UInt8]]
    }

    public struct StagedItem: Equatable, Sendable {
        public let kind: EntryKind
        public let mode: UInt16
        /// Of a file.
        public let mtime: Timestamp?
        /// Of a file; nil where it does not matter.
        public internal(set) var linkCount: UInt64?
        /// A file's bytes, or a symlink's target.
        public let content: [UInt8]
    }

    public let versions: [SealedVersion]
    public internal(set) var staged: [TreePath: StagedItem]

    /// The same for a store whose owner has not cleared away what was replaced.
    public var withoutLinkCounts: StoreState {
        var state = self
        state.staged = staged.mapValues { item in
            var item = item
            item.linkCount = nil
            return item
        }
        return state
    }

    /// What differs, for a message; empty where nothing does.
    public func differences(from other: StoreState) -> String {
        var lines: [String] = []
        let (mine, others) = (versions.map(\.number), other.versions.map(\.number))
        if mine != others {
            lines.append("versions \(mine) / \(others)")
        } else {
            for (one, two) in zip(versions, other.versions) where one != two {
                lines.append(
                    "\(one.number): \(one.digest.short) \(one.tags) / \(two.digest.short) \(two.tags)")
            }
        }
        for path in Set(staged.keys).union(other.staged.keys).sorted()
        where staged[path] != other.staged[path] {
            let (one, two) = (staged[path], other.staged[path])
            lines.append("\(path.display): \(one.map { "\($0)" } ?? "-") / \(two.map { "\($0)" } ?? "-")")
        }
        return lines.joined(separator: "; ")
    }
}

extension StoreFixture {
    /// Everything, down to the last byte.
    ///
    /// - Parameter hasTimes: whether modification times in staging are part of it.
    public func state(hasTimes: Bool = true) throws -> StoreState {
        let versions = try store.versions().map { version in
            let entries = try entries(of: version)
            var files: [TreePath: [UInt8]] = [:]
            for (path, entry) in entries where entry.kind == .file {
                files[path] = try bytes(path, of: version)
            }
            return StoreState.SealedVersion(
                number: version.number, digest: version.digest, tags: version.tags,
                isPinned: version.isPinned, annotations: try store.annotations(of: version.number),
                entries: entries, files: files)
        }
        return StoreState(versions: versions, staged: try stagedItems(hasTimes))
    }

    private func stagedItems(_ hasTimes: Bool) throws -> [TreePath: StoreState.StagedItem] {
        var items: [TreePath: StoreState.StagedItem] = [:]
        let view = StagedView(workspace, store)
        var pending: [TreePath] = [.root]
        while let path = pending.popLast() {
            let found = try view.find(path)
            let (kind, mode, mtime, target) = try describe(found)
            let content = kind == .file ? try stagedBytes(path) : target
            var linkCount: UInt64 = 1
            if case .upper(let upper, _) = found, kind == .file { linkCount = upper.file.linkCount }
            items[path] = StoreState.StagedItem(
                kind: kind, mode: mode, mtime: kind == .file && hasTimes ? mtime : nil, linkCount: linkCount,
                content: content)
            guard kind == .directory else { continue }
            for name in try view.names(in: found) { pending.append(path.appending(name)) }
        }
        return items
    }

    private func describe(
        _ found: StagedView.Found
    ) throws -> (kind: EntryKind, mode: UInt16, mtime: Timestamp, target: [UInt8]) {
        switch found {
        case .nothing: throw Errno.noSuchFileOrDirectory
        case .base(let entry):
            var target: [UInt8] = []
            if case .target(let bytes) = entry.content { target = bytes }
            return (entry.kind, entry.mode, entry.mtime, target)
        case .upper(let upper, let place):
            guard let kind = upper.file.kind else { throw Errno.invalidArgument }
            let target = kind == .symlink ? try Syscall.readSymlink(at: place.fd, place.path) : []
            return (kind, upper.file.permissions, upper.file.mtime, target)
        }
    }

    /// What is wrong with the store, beside what ``state()`` shows: damage, and files that nothing refers to and no
    /// collection of garbage has removed. Collects garbage.
    public func leftovers() throws -> [String] {
        _ = try store.collectGarbage()
        var problems = try store.verify().problems.map(\.message)
        let (objects, known) = (try files(below: "objects").count, try store.totals().blobs)
        if objects != known { problems.append("\(objects) objects for \(known) blobs") }
        let top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        for (directory, expected) in [("tmp", []), ("workspaces/main", ["upper"])] {
            let names = try Syscall.names(at: top.fd, RawPath(directory)).map(\.display)
            if names != expected { problems.append("\(directory) holds \(names)") }
        }
        return problems
    }
}
