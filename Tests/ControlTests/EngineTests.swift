import Control
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite struct EngineTests {
    private let hello = Array("hello".utf8)
    private let mara = Caller(uid: 0, gid: 0)

    private func engine(_ fixture: StoreFixture, _ hooks: MountHooks = .none) -> Engine {
        Engine(store: fixture.store, workspace: fixture.workspace, hooks: hooks)
    }

    private func perform(_ engine: Engine, _ request: ControlRequest) throws -> JSONValue {
        try engine.perform(request, caller: mara)
    }

    private func commit(_ message: String, tags: [String] = []) throws -> ControlRequest {
        var request = CommitRequest()
        request.message = message
        request.tags = try tags.map { try TagName($0) }
        return .commit(request)
    }

    @Test func `a commit answers with its version, by its caller`() throws {
        let fixture = try StoreFixture(["a/b": hello])
        let outcome = try perform(engine(fixture), try commit("first", tags: ["best"]))
        let version = outcome["version"]
        #expect(version["version"].string == "v000001")
        #expect(version["message"].string == "first")
        #expect(version["author"].string == mara.author)
        #expect(version["tags"] == ["best"])
        #expect(version["files"].integer == 1)
        #expect(version["bytes"].integer == 5)
        #expect(outcome["changed_entries"].integer == 2)
        #expect(try fixture.store.latest()?.digest.hex == version["digest"].string)
    }

    @Test func `the author is a user at a host`() {
        #expect(Caller(uid: 0, gid: 0).author.hasPrefix("root@"))
        #expect(Caller(uid: 4_000_000_001, gid: 0).author.hasPrefix("4000000001@"))
    }

    @Test func `names, pins and notes`() throws {
        let fixture = try StoreFixture(["a": hello])
        let engine = engine(fixture)
        _ = try perform(engine, try commit("first"))
        try fixture.write("a", [1])
        _ = try perform(engine, try commit("second"))
        let tagged = try perform(engine, .tag(name: "best", version: "latest~1", moves: false))
        #expect(tagged["version"].string == "v000001")
        #expect(tagged["previous"].isNull)
        #expect {
            try perform(engine, .tag(name: "best", version: "latest", moves: false))
        } throws: { ($0 as? StoreError)?.code == .tagExists }
        #expect(
            try perform(engine, .tag(name: "best", version: "2", moves: true))["previous"].string == "v000001"
        )
        #expect(try perform(engine, .pin(versions: ["1", "v1", "2"]))["versions"] == ["v000001", "v000002"])
        #expect(try fixture.store.versions().allSatisfy(\.isPinned))
        _ = try perform(engine, .unpin(versions: ["1"]))
        #expect(try fixture.store.versions().map(\.isPinned) == [false, true])
        let notes = try perform(
            engine, .annotate(version: "best", notes: [.init(key: "reviewed", value: "yes")], author: ""))
        #expect(notes["annotations"].elements.first?["author"].string == mara.author)
        #expect(try fixture.store.annotations(of: VersionNumber(2)).map(\.value) == ["yes"])
    }

    @Test func `taking tags off is all or nothing`() throws {
        let fixture = try StoreFixture(["a": hello])
        let engine = engine(fixture)
        _ = try perform(engine, try commit("first", tags: ["a", "b"]))
        #expect {
            try perform(engine, .untag(names: ["a", "c", "b"]))
        } throws: { ($0 as? StoreError)?.code == .unknownTag && ($0 as? StoreError)?.subject == "c" }
        #expect(try fixture.store.tags().count == 2)
        _ = try perform(engine, .untag(names: ["a", "b"]))
        #expect(try fixture.store.tags().isEmpty)
    }

    @Test func `a pin of an unknown version pins none`() throws {
        let fixture = try StoreFixture(["a": hello])
        let engine = engine(fixture)
        _ = try perform(engine, try commit("first"))
        #expect(throws: StoreError.self) { try perform(engine, .pin(versions: ["1", "9"])) }
        #expect(try fixture.store.latest()?.isPinned == false)
    }

    @Test func `abort says what it threw away`() throws {
        let fixture = try StoreFixture(["a": hello])
        let outcome = try perform(engine(fixture), .abort)
        #expect(outcome["discarded"]["entries"].integer == 1)
        #expect(outcome["discarded"]["bytes"].integer == 5)
        #expect(try fixture.staged().isEmpty)
    }

    @Test func `restore brings paths back and refuses to lose changes`() throws {
        let fixture = try StoreFixture(["a": hello, "b": hello])
        let engine = engine(fixture)
        _ = try perform(engine, try commit("first"))
        try fixture.write("a", [1])
        _ = try perform(engine, try commit("second"))
        try fixture.write("a", [2])
        #expect {
            try perform(engine, .restore(version: "1", paths: ["a"], isForced: false))
        } throws: { ($0 as? StoreError)?.code == .stagedChanges }
        let outcome = try perform(engine, .restore(version: "1", paths: ["a"], isForced: true))
        #expect(outcome["restored"].elements.map { $0["path"].string } == ["a"])
        #expect(try fixture.stagedBytes("a") == hello)
    }

    @Test func `import commits, and refuses to commit other changes with it`() throws {
        let fixture = try StoreFixture(["other": hello])
        let source = TestDirectory()
        _ = try Shell.run("/bin/sh", "-c", "echo one > \(source.path)/x; mkdir \(source.path)/d")
        let engine = engine(fixture)
        var request = ImportRequest(
            source: Array(source.path.utf8), target: "data", commit: CommitRequest())
        #expect {
            try perform(engine, .importTree(request))
        } throws: { ($0 as? StoreError)?.code == .stagedChanges }
        #expect(try fixture.staged() == ["other"])
        request.isForced = true
        let outcome = try perform(engine, .importTree(request))
        #expect(outcome["imported"]["files"].integer == 1)
        #expect(outcome["commit"]["version"]["version"].string == "v000001")
        #expect(
            try fixture.paths(of: fixture.store.resolve("latest")) == ["data", "data/d", "data/x", "other"])
        request.commit = nil
        request.isForced = false
        request.target = "more"
        #expect(try perform(engine, .importTree(request))["commit"].isNull)
        #expect(try fixture.store.versions().count == 1)
    }

    @Test func `who has other rights than the daemon cannot import with its rights`() throws {
        let fixture = try StoreFixture()
        let source = TestDirectory()
        let request = ControlRequest.importTree(ImportRequest(source: Array(source.path.utf8), commit: nil))
        let stranger = Caller(uid: Caller.current.uid + 1, gid: 0)
        #expect {
            try engine(fixture).perform(request, caller: stranger)
        } throws: { ($0 as? StoreError)?.errno == .notPermitted }
        _ = try engine(fixture).perform(request, caller: .current)
    }

    @Test func `a commit while another runs is refused as busy and loses nothing`() throws {
        let fixture = try StoreFixture(["a": hello])
        let engine = engine(fixture)
        let second = Lock(StoreError?.none)
        fixture.faults.once(at: FaultPoint(.open, in: "openForReading(_:)")) {
            do throws(StoreError) {
                _ = try engine.perform(.commit(CommitRequest()), caller: .current)
            } catch { second.withLock { $0 = error } }
        }
        let first = try fixture.faults.during { try perform(engine, try commit("first")) }
        #expect(first["version"]["version"].string == "v000001")
        #expect(second.withLock { $0?.code } == .busy)
        #expect(try fixture.store.versions().count == 1)
    }

    @Test func `a store that is not mounted cannot be unmounted`() throws {
        let fixture = try StoreFixture()
        #expect(throws: StoreError.self) { try perform(engine(fixture), .unmount) }
    }
}
