internal import Glibc
internal import Objects
internal import Store
internal import SystemPackage

/// An operation that tests interrupt at each of its points: the store it begins with, and the operation.
public enum FaultScenario: String, CaseIterable, Sendable {
    case commit
    /// With a file that stays open for writing.
    case commitOpenFiles
    /// After a failed sync, so that all is copied.
    case commitCopies
    /// Which stores the first tree node as a delta, so that the store gets another format.
    case commitFirstDelta
    case forget, collectGarbage
    case restoreDirectory, restoreFile, restoreAll, abort
    case importTree
    /// What a mount does in staging.
    case copyUp, create, remove, removeDirectory, removeHollow, renameDirectory, renameOverWhiteout, link
    /// The start after a commit that was stored and not finished.
    case recover

    /// Whether a second run finds something to do again.
    public var isRepeatable: Bool {
        switch self {
        case .collectGarbage, .recover, .restoreDirectory, .restoreFile, .restoreAll, .abort, .copyUp: true
        default: false
        }
    }

    /// Whether modification times follow the kernel's clock, so that no two runs have the same.
    public var hasTimesOfItsOwn: Bool { self == .create || self == .copyUp }

    // MARK: The store before

    /// Makes three versions with tags and notes, and stages changes of every kind; then what the operation needs.
    public func prepare(_ fixture: StoreFixture, source: String) throws {
        if self == .commitFirstDelta { return try FaultScenario.makeLargeDirectory(fixture) }
        try FaultScenario.makeVersions(fixture)
        try FaultScenario.stageChanges(fixture)
        switch self {
        case .commitCopies:
            try FaultScenario.shell("touch unsynced; chmod 600 unsynced", in: fixture.path)
        case .collectGarbage:
            try fixture.store.forget(versions: [VersionNumber(2)])
            try FaultScenario.shell(
                "mkdir -p objects/ff; echo orphan > objects/ff/\(String(repeating: "f", count: 62))",
                in: fixture.path)
        case .importTree:
            mkdir(source, 0o755)
            try FaultScenario.shell(
                """
                mkdir -p d/e; printf one > d/one; ln d/one d/e/two; ln -s one d/link; mkfifo d/pipe
                head -c 70000 /dev/zero > big; chmod 750 d; setfattr -n user.origin -v x d/one; touch -d @7 d/e d
                """, in: source)
        case .copyUp: _ = try fixture.upper("big")
        case .removeDirectory:
            try fixture.remove("lower/only")
        case .removeHollow:
            let place = try fixture.makeDirectory("kept/hollow")
            try fixture.workspace.overlay.addWhiteout(try place.child(FileName(unchecked: [65])))
        case .recover:
            fixture.faults.fail(at: FaultPoint(.exchange, in: "swapToNext(_:syncs:)"), with: .ioError)
            _ = try? fixture.commit()
            fixture.faults.clear()
        default: break
        }
    }

    private static func makeVersions(_ fixture: StoreFixture) throws {
        let big = [UInt8]((0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        for (path, bytes) in [
            ("a/one", [1]), ("a/two", [2, 2]), ("b", [3, 3, 3]), ("c/deep/x", [4]), ("big", big),
            ("empty", []),
            ("lower/only", [5]), ("moved/in/it", [6]),
        ] as [(TreePath, [UInt8])] {
            try fixture.write(path, bytes)
        }
        try fixture.makeSymlink("symlink", to: "a/one")
        try fixture.commit("first") {
            $0.tags = FaultScenario.tag("one")
            $0.pins = true
        }
        try fixture.write("b", [3, 3])
        try fixture.remove("a/two")
        try fixture.write("second", [7])
        try fixture.commit("second")
        try fixture.store.annotate(VersionNumber(2), [(key: "note", value: "mine")], author: "t")
        try fixture.remove("second")
        try fixture.write("third", [8])
        try fixture.commit("third") { $0.tags = FaultScenario.tag("three") }
    }

    /// Makes a version with a directory of which little is staged.
    private static func makeLargeDirectory(_ fixture: StoreFixture) throws {
        for number: UInt8 in 10..<30 {
            try fixture.write(TreePath(stringLiteral: "large/f\(number)"), [number])
        }
        try fixture.commit("first") { $0.tags = FaultScenario.tag("three") }
        try fixture.write("large/f15", [1])
        try fixture.remove("large/f20")
    }

    private static func tag(_ text: String) -> [TagName] { (try? TagName(text)).map { [$0] } ?? [] }

    private static func stageChanges(_ fixture: StoreFixture) throws {
        try fixture.write("b", [9, 9, 9, 9])
        try fixture.write("new/file", [10, 11])
        try fixture.link("new/file", as: "new/name")
        try fixture.makeSymlink("new/symlink", to: "file")
        try fixture.makeSpecial("new/pipe", .fifo)
        try fixture.remove("c/deep/x")
        try fixture.rename("moved", to: "new/moved")
        let reference = try fixture.upper("empty")
        try Syscall.changeMode(at: reference.fd, reference.path, 0o600)
        try fixture.write("kept/open", [12])
    }

    private static func shell(_ script: String, in directory: String) throws {
        let outcome = try Shell.run("/bin/sh", "-ec", "cd '\(directory)'; \(script)")
        guard outcome.status == 0 else { throw Errno.ioError }
    }

    // MARK: The operation

    /// Performs it, with the fixture's faults.
    ///
    /// - Parameter fixture: over the store that was prepared, or a copy; closed where the operation is opening it.
    public func run(_ fixture: StoreFixture, source: String) throws {
        try fixture.faults.during { try perform(fixture, source) }
    }

    private func perform(_ fixture: StoreFixture, _ source: String) throws {
        if self == .recover { return try fixture.open() }
        let (store, workspace) = (fixture.store, fixture.workspace)
        let overlay = workspace.overlay
        let first = try store.resolve("1")
        switch self {
        case .commit, .commitCopies, .commitFirstDelta: try commit(fixture)
        case .commitOpenFiles:
            let open = try fixture.upper("kept/open")
            let inode = UInt64(try Syscall.stat(at: open.fd, open.path).st_ino)
            workspace.tracker.opened(inode)
            defer { workspace.tracker.closed(inode) }
            try commit(fixture)
        case .forget: try store.forget(versions: [VersionNumber(2)])
        case .collectGarbage: _ = try store.collectGarbage()
        case .restoreDirectory: try store.restore(first, paths: ["a"], into: workspace, force: true)
        case .restoreFile: try store.restore(first, paths: ["c/deep/x"], into: workspace, force: true)
        case .restoreAll: try store.restore(first, paths: [.root], into: workspace, force: true)
        case .abort: try store.abort(workspace)
        case .importTree:
            _ = try store.importTree(from: RawPath(source), at: "data/set", into: workspace, force: false)
        case .copyUp:
            let place = try fixture.upper("big")
            guard let upper = try overlay.probe(place), let reference = upper.reference else { return }
            let file = try Syscall.openForWriting(place)
            try overlay.fill(file, from: reference, mark: upper.mark, subject: "big")
        case .create: _ = try overlay.createFile(try place("c/deep/x", fixture), mode: 0o640)
        case .remove: try overlay.remove(try place("b", fixture), leavesWhiteout: true)
        case .removeDirectory:
            try overlay.removeDirectory(try place("lower", fixture), leavesWhiteout: true)
        case .removeHollow:
            try overlay.removeDirectory(try place("kept/hollow", fixture), leavesWhiteout: false)
        case .renameDirectory:
            try overlay.move(
                try place("new/moved", fixture), to: try place("kept/moved", fixture), isDirectory: true,
                .nothing)
        case .renameOverWhiteout:
            try overlay.move(
                try place("new/moved", fixture), to: try place("c/deep/x", fixture), isDirectory: true,
                .nothing)
        case .link:
            let source = try place("b", fixture)
            try overlay.link(to: try place("c/deep/x", fixture)) { directory, path throws(Errno) in
                try Syscall.link(at: source.fd, source.path, to: directory, path)
            }
        case .recover: break
        }
    }

    private func commit(_ fixture: StoreFixture) throws {
        var request = CommitRequest()
        request.message = "fourth"
        request.tags = FaultScenario.tag("three")
        request.movesTags = true
        _ = try fixture.store.commit(fixture.workspace, request)
    }

    private func place(_ path: TreePath, _ fixture: StoreFixture) throws -> Place {
        try fixture.workspace.place(path.names)
    }
}
