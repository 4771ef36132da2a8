import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// What a commit does before it holds changes up, and what is changed under its hands.
@Suite struct SealPreparationTests {
    private let old = Array("as it was".utf8)
    private let new = Array("as it is!".utf8)

    private func inode(_ place: Place) throws -> UInt64 {
        UInt64(try Syscall.stat(at: place.fd, place.path).st_ino)
    }

    /// A change of a file's bytes that leaves its size and times, as the mount reports it.
    private func rewrite(_ place: Place, in fixture: StoreFixture) throws {
        let backing = try inode(place)
        let before = Timestamp(try Syscall.stat(at: place.fd, place.path).st_mtim)
        fixture.workspace.tracker.opened(backing)
        try fixture.edit(place) { file in
            _ = try new.withUnsafeBytes { try Syscall.write(file, $0, at: 0) }
            try Syscall.changeTimes(file, access: nil, modification: .at(before))
        }
        fixture.workspace.tracker.closed(backing)
    }

    private func object(_ bytes: [UInt8], in fixture: StoreFixture) throws -> stat? {
        try fixture.store.blobs.status(Digest.of(bytes))
    }

    @Test func `what changes after it was looked at is looked at again, and nothing else`() throws {
        let fixture = try StoreFixture(["a/changed": old, "b/gone": [1], "c/same": [2], "d/read": [3]])
        let paths: [TreePath] = ["a/changed", "b", "b/gone", "c/same", "d/read"]
        let places = try paths.map { try fixture.upper($0) }
        var prepared = try SealPreparation(fixture.workspace, fixture.store)
        #expect(prepared.linked.count == 4)
        #expect(try object(old, in: fixture)?.st_nlink == 2)
        // A program that looks at its file must not see that.
        #expect(fixture.workspace.tracker.linkCount(2, of: try inode(places[0])) == 1)

        try rewrite(places[0], in: fixture)
        let directory = try inode(places[1])
        try fixture.remove("b/gone")
        fixture.workspace.tracker.changed(directory)
        fixture.workspace.tracker.changed(try inode(places[4]))

        let ahead = try prepared.finish()
        #expect(Set(ahead.parts.keys) == [.root, "c"])
        // No version may come to refer to what had a name too early.
        #expect(try object(old, in: fixture) == nil)
        #expect(Set(prepared.linked.keys) == [Digest.of([2])])
        // Links that it has are its own again.
        #expect(fixture.workspace.tracker.linkCount(2, of: try inode(places[0])) == 2)
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: ahead)
        let root = try walk.run()
        var anew = SealWalk(fixture.workspace, fixture.store, .include)
        #expect(try anew.run() == root)
        #expect(walk.sum.fresh.referenced == anew.sum.fresh.referenced)
        prepared.undo()
        #expect(try object([2], in: fixture) == nil)
        #expect(fixture.workspace.tracker.linkCount(2, of: try inode(places[3])) == 2)
    }

    @Test(arguments: [false, true])
    func `an attribute that is set while a seal is prepared is sealed`(isUndone: Bool) throws {
        let fixture = try StoreFixture()
        let place = try fixture.write("d/f", [1])
        // Until a change would show in its ctime, what is read of it beside its bytes is not kept.
        usleep(150_000)
        _ = try Prehash.hash(place, fixture.workspace)
        #expect(fixture.workspace.digests.notes(of: try Syscall.stat(at: place.fd, place.path)) != nil)
        let directory = try inode(try fixture.upper("d"))
        var prepared = try SealPreparation(fixture.workspace, fixture.store)
        #expect(Set(prepared.linked.keys) == [Digest.of([1])])
        try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.k"), [7])
        fixture.workspace.tracker.changed(directory)
        if isUndone { prepared.undo() }
        let ahead = isUndone ? nil : try prepared.finish()
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: ahead)
        let root = try walk.run()
        let entry = try #require(try walk.trees.entry(at: "d/f", below: root))
        #expect(entry.xattrs == [ExtendedAttribute(name: Array("user.k".utf8), value: [7])])
        if !isUndone { prepared.undo() }
    }

    @Test func `who is about to write to a file is one of its users`() throws {
        let tracker = WriteTracker()
        #expect(!tracker.probeUse(of: 1) { false })
        #expect(tracker.isUnused(1))
        tracker.opened(1)
        #expect(!tracker.isUnused(1))
        // As far as the kernel is concerned it may not be open yet.
        #expect(!tracker.probeUse(of: 1) { false })
        #expect(!tracker.isUnused(1))
        tracker.closed(1)
        #expect(!tracker.isUnused(1))
        #expect(tracker.probeUse(of: 1) { true })
        #expect(!tracker.isUnused(1))
        #expect(!tracker.probeUse(of: 1) { false })
        tracker.changed(1)
        #expect(!tracker.isUnused(1))
    }

    /// So many names make more bytes of tree nodes than are left for the transaction that makes the version.
    @Test
    func `tree nodes that were stored ahead are garbage where the commit fails, and else in use`() throws {
        let fixture = try StoreFixture()
        let padding = String(repeating: "f", count: 100)
        for index in 0..<12_000 {
            try fixture.write(TreePath(Array("d\(index % 10)/\(padding)\(index)".utf8)), [UInt8(index % 7)])
        }
        do {
            var prepared = try SealPreparation(fixture.workspace, fixture.store)
            #expect(prepared.stored.count > 100)
            let kept = try #require(prepared.stored.first)
            prepared.undo()
            #expect(try fixture.store.catalog.storedNode(kept) != nil)
            #expect(try fixture.store.collectGarbage().nodes == prepared.stored.count)
            #expect(try fixture.store.catalog.storedNode(kept) == nil)
        }
        let version = try fixture.commit()
        #expect(try fixture.store.verify().problems.isEmpty)
        #expect(try fixture.paths(of: version).count == 12_010)
        #expect(try fixture.store.collectGarbage().nodes == 0)
        try fixture.reopen()
        #expect(try fixture.paths(of: version).count == 12_010)
    }

    @Test func `what is taken over and what is found beside it come to the same as all at once`() throws {
        let fixture = try StoreFixture(["known": [7]])
        try fixture.commit()
        try fixture.write("a/f", [1])
        try fixture.write("a/again", [7])
        let place = try fixture.write("b/f", [2])
        try fixture.write("c/f", [3])
        // In use, so that its directory is left for the seal to look at.
        let open = try Syscall.openForReading(place)
        var prepared = try SealPreparation(fixture.workspace, fixture.store)
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: try prepared.finish())
        let root = try walk.run()
        #expect(walk.sum.isAsPrepared)
        #expect(Set(walk.sum.fresh.referenced.keys) == [Digest.of([2])])
        #expect(Set(walk.sum.files.keys).subtracting([Digest.of([2])]) == [Digest.of([7])])
        #expect(prepared.newBlobs.rows.map(\.digest) == [Digest.of([1]), Digest.of([3])].sorted())
        var anew = SealWalk(fixture.workspace, fixture.store, .include)
        #expect(try anew.run() == root)
        let all = walk.sum.prepared.referenced.merging(walk.sum.fresh.referenced) { first, _ in first }
        #expect(all == anew.sum.fresh.referenced)
        prepared.undo()
        withExtendedLifetime(open) {}
    }

    @Test func `directories that exchange their names are not taken for each other`() throws {
        let fixture = try StoreFixture(["a/f": old, "b/f": new, "c": [1]])
        let top = try inode(try fixture.upper(.root))
        var prepared = try SealPreparation(fixture.workspace, fixture.store)
        // Only the directory above them is told.
        try fixture.rename("a", to: "d")
        try fixture.rename("b", to: "a")
        try fixture.rename("d", to: "b")
        fixture.workspace.tracker.changed(top)
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: try prepared.finish())
        let root = try walk.run()
        #expect(try walk.trees.entry(at: "a/f", below: root)?.blob == Digest.of(new))
        #expect(try walk.trees.entry(at: "b/f", below: root)?.blob == Digest.of(old))
        prepared.undo()
    }

    /// Between the look at the files and the first name that is given to one.
    private static let linking = FaultPoint(.setAttribute, in: "mark(_:at:_:)")

    /// Commits with a change that is made before the first name is given, and told of when the names are synced.
    private func commit(
        _ fixture: StoreFixture, noting changed: UInt64,
        whileLinking change: @escaping @Sendable () throws -> Void
    ) throws -> Version {
        let outcome = Lock<Result<Void, any Error>?>(nil)
        fixture.faults.once(at: Self.linking) {
            let result = Result { try change() }
            outcome.withLock { $0 = result }
        }
        let tracker = fixture.workspace.tracker
        fixture.faults.once(at: FaultPoint(.sync, in: "sync(_:isWhole:)")) { tracker.changed(changed) }
        let version = try fixture.commit()
        try #require(outcome.withLock { $0 }).get()
        return version
    }

    @Test func `a file that is closed while the seal runs was open at it`() throws {
        let fixture = try StoreFixture(["other": [1], "log": old])
        let backing = try inode(try fixture.upper("log"))
        let (faults, tracker) = (fixture.faults, fixture.workspace.tracker)
        tracker.opened(backing)
        // The seal's walk is the second that lists the top.
        let listing = FaultPoint(.open, in: "open(_:depth:)")
        faults.once(at: listing) { faults.once(at: listing) { tracker.closed(backing) } }
        let outcome = try fixture.commitOutcome()
        #expect(outcome.kept.isEmpty)
        #expect(outcome.version.manifest.openAtSeal == [Manifest.OpenFile(path: "log", isTorn: false)])
        #expect(try fixture.bytes("log", of: outcome.version) == old)
    }

    /// A FIFO would have whoever opens it wait, a whiteout cannot be opened.
    @Test(.timeLimit(.minutes(1)), arguments: [S_IFIFO, S_IFCHR, S_IFLNK, S_IFSOCK], [false, true])
    func `what has taken a file's place is not opened for it`(kind: mode_t, isGone: Bool) throws {
        let fixture = try StoreFixture(["other": old, "moving/from": new])
        let (place, above) = (try fixture.upper("moving/from"), try fixture.upper("moving"))
        let target = try above.child(FileName("to"))
        let version = try commit(fixture, noting: try inode(above)) {
            // What is made then may get the number of one that is gone.
            if isGone {
                try Syscall.unlink(at: place.fd, place.path)
            } else {
                try Syscall.rename(at: place.fd, place.path, to: target.fd, target.path)
            }
            if kind == S_IFLNK {
                try Syscall.makeSymlink(at: place.fd, place.path, target: RawPath("to"))
            } else {
                try Syscall.makeNode(at: place.fd, place.path, mode: kind | 0o644, device: 0)
            }
        }
        #expect(try fixture.bytes("other", of: version) == old)
        let entries = try fixture.entries(of: version)
        #expect(entries["moving/from"]?.kind == (kind == S_IFCHR ? nil : EntryKind(mode: kind)))
        if isGone {
            #expect(try object(new, in: fixture) == nil)
        } else {
            #expect(try fixture.bytes("moving/to", of: version) == new)
        }
        #expect(try fixture.store.verify().isClean)
    }

    /// Nothing is told of the directory that moves.
    @Test(arguments: [false, true])
    func `a directory that takes another's place while names are given holds other files`(
        isExchange: Bool
    ) throws {
        let fixture = try StoreFixture(["other": [1], "d/x": old, "f/x": new])
        let (first, second) = (try fixture.upper("d"), try fixture.upper("f"))
        let aside = try fixture.upper(.root).child(FileName("e"))
        let version = try commit(fixture, noting: try inode(try fixture.upper(.root))) {
            if isExchange {
                try Syscall.rename(at: first.fd, first.path, to: second.fd, second.path, .exchange)
            } else {
                try Syscall.rename(at: first.fd, first.path, to: aside.fd, aside.path)
                try Syscall.rename(at: second.fd, second.path, to: first.fd, first.path)
            }
        }
        #expect(try fixture.bytes("d/x", of: version) == new)
        #expect(try fixture.bytes(isExchange ? "f/x" : "e/x", of: version) == old)
        #expect(try fixture.store.verify().isClean)
    }

    /// Prepares a seal, with a change that is made when a directory is opened or listed for the `count`th time.
    private func prepare(
        _ fixture: StoreFixture, at point: FaultPoint, _ count: Int,
        _ change: @escaping @Sendable () throws -> Void
    ) throws -> SealPreparation {
        let outcome = Lock<Result<Void, any Error>?>(nil)
        let faults = fixture.faults
        @Sendable func wait(_ count: Int) {
            faults.once(at: point) {
                if count > 1 { return wait(count - 1) }
                let result = Result { try change() }
                outcome.withLock { $0 = result }
            }
        }
        wait(count)
        let prepared = try faults.during { try SealPreparation(fixture.workspace, fixture.store) }
        try #require(outcome.withLock { $0 }).get()
        return prepared
    }

    /// The top directories in the order in which they are walked.
    private func walkedFirst(_ fixture: StoreFixture) throws -> [TreePath] {
        let top = try fixture.upper(.root)
        return try Syscall.names(at: top.fd, top.path).map { TreePath(names: [$0]) }
    }

    @Test func `a directory that is renamed under the walk and found twice is looked at again`() throws {
        let fixture = try StoreFixture(["a/g": [1], "b/g": [2]])
        let paths = try walkedFirst(fixture)
        let (first, second) = (paths[0], paths[1])
        let place = try fixture.write(first.appending(FileName("d")).appending(FileName("f")), old)
        let holder = try fixture.upper(first)
        let (source, target) = (
            try holder.child(FileName("d")), try fixture.upper(second).child(FileName("d"))
        )
        let directory = try inode(source)
        let above = [try inode(holder), try inode(try fixture.upper(second))]
        // After the top, the first directory and the one in it, the second is about to be listed.
        var prepared = try prepare(fixture, at: FaultPoint(.open, in: "open(_:depth:)"), 4) {
            [tracker = fixture.workspace.tracker] in
            try Syscall.rename(at: source.fd, source.path, to: target.fd, target.path)
            above.forEach(tracker.changed)
        }
        let moved = try target.child(FileName("f"))
        #expect(throws: Errno.self) { try Syscall.stat(at: place.fd, place.path) }
        try rewrite(moved, in: fixture)
        let ahead = try prepared.finish()
        #expect(!ahead.parts.values.contains { $0.inode == directory })
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: ahead)
        let root = try walk.run()
        let path = second.appending(FileName("d")).appending(FileName("f"))
        #expect(try walk.trees.entry(at: path, below: root)?.blob == Digest.of(new))
        prepared.undo()
    }

    @Test func `a directory that has another's place for a moment is not looked at as that`() throws {
        let fixture = try StoreFixture(["a/g": [1], "b/g": [2]])
        let path = try walkedFirst(fixture)[0]
        try fixture.write(path.appending(FileName("x")), old)
        let place = try fixture.upper(path)
        let twin = RawPath(fixture.appending("twin"))
        try Syscall.makeDirectory(at: AT_FDCWD, twin, mode: 0o755)
        do {
            let file = try Syscall.open(
                at: AT_FDCWD, twin.appending(FileName("x")), O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
            _ = try new.withUnsafeBytes { try Syscall.write(file.fd, $0, at: 0) }
        }
        let exchange: @Sendable () throws -> Void = {
            try Syscall.rename(at: place.fd, place.path, to: AT_FDCWD, twin, .exchange)
        }
        // Where it is not exchanged back the file below is not found.
        fixture.faults.once(at: Self.linking) { try? exchange() }
        // After the top's, before its own.
        var prepared = try prepare(fixture, at: FaultPoint(.open, in: "opened()"), 2, exchange)
        fixture.workspace.tracker.changed(try inode(try fixture.upper(.root)))
        let ahead = try prepared.finish()
        #expect(try object(new, in: fixture) == nil)
        var walk = SealWalk(fixture.workspace, fixture.store, .include, prepared: ahead)
        let root = try walk.run()
        #expect(
            try walk.trees.entry(at: path.appending(FileName("x")), below: root)?.blob == Digest.of(old))
        prepared.undo()
    }

    /// Without a descriptor of its own it is found by its path, which may lead elsewhere for a moment.
    @Test func `what lies too deep to be held open is left for the seal to look at`() throws {
        let path = TreePath(names: Array(repeating: FileName("deep"), count: 70)).appending(FileName("f"))
        let fixture = try StoreFixture(["g": [1]])
        try fixture.write(path, old)
        var prepared = try SealPreparation(fixture.workspace, fixture.store)
        let depths = try prepared.finish().parts.keys.map(\.names.count)
        #expect(depths.max() == 63)
        prepared.undo()
        #expect(try fixture.bytes(path, of: try fixture.commit()) == old)
    }

    @Test func `a file that was hashed in the background and written to since is sealed as it is`() throws {
        let fixture = try StoreFixture()
        let hashing = BackgroundHashing(fixture.workspace, delay: .milliseconds(1))
        let place = try fixture.write("a", old)
        hashing.closed(try inode(place)) { place }
        #expect(hashing.pendingCount == 1)
        let deadline = ContinuousClock.now + .seconds(20)
        while fixture.workspace.digests.count == 0, ContinuousClock.now < deadline { usleep(1000) }
        #expect(fixture.workspace.digests.count == 1)
        #expect(hashing.pendingCount == 0)
        let status = try Syscall.stat(at: place.fd, place.path)
        #expect(fixture.workspace.digests.digest(of: status) == Digest.of(old))
        try rewrite(place, in: fixture)
        let version = try fixture.commit()
        #expect(try fixture.bytes("a", of: version) == new)
    }

    @Test func `a file that is open for writing is not hashed in the background`() throws {
        let fixture = try StoreFixture()
        let hashing = BackgroundHashing(fixture.workspace, delay: .milliseconds(1))
        let place = try fixture.write("a", old)
        fixture.workspace.tracker.opened(try inode(place))
        hashing.closed(try inode(place)) { place }
        let deadline = ContinuousClock.now + .seconds(20)
        while hashing.pendingCount > 0, ContinuousClock.now < deadline { usleep(1000) }
        usleep(100_000)
        #expect(fixture.workspace.digests.count == 0)
        fixture.workspace.tracker.closed(try inode(place))
    }
}
