import Control
import Objects
import Store
import TestSupport
import Testing

/// What the files of `.firn/` say and do.
@Suite struct ControlFileTests {
    private func parse(_ bytes: [UInt8]) throws -> JSONValue { try JSONParser.parse(bytes) }

    private func write(_ text: String, to engine: Engine) -> CommitJSONResult {
        engine.commitJSON(Array(text.utf8), caller: .current)
    }

    @Test func `a document commits when it is whole, and not before`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        let text = #"{"message": "from the mount", "tags": ["m"]}"#
        for count in [0, 1, 10, text.count - 1] {
            guard case .incomplete = write(String(text.prefix(count)), to: engine) else {
                Issue.record("\(count) bytes are not the whole")
                return
            }
        }
        #expect(try fixture.store.versions().isEmpty)
        guard case .committed(let version) = write(text + "\n", to: engine) else {
            Issue.record("it is whole")
            return
        }
        #expect(version.manifest.message == "from the mount")
        #expect(version.manifest.author == Caller.current.author)
        #expect(version.tags == ["m"])
    }

    @Test func `when a request began is asked when it is whole, and not before`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        var askedCount = 0
        func begun() -> UInt64? {
            askedCount += 1
            return nil
        }
        for text in ["{", #"{"message": "#, "{]", #"{"mesage": 1}"#] {
            _ = engine.commitJSON(Array(text.utf8), caller: .current, begunWith: begun())
        }
        #expect(askedCount == 0)
        _ = engine.commitJSON(Array("{}".utf8), caller: .current, begunWith: begun())
        #expect(askedCount == 1)
    }

    @Test func `a request that comes again after a daemon's death is done once`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        let text = Array(#"{"message": "once", "params": {"lr": "1"}}"#.utf8)
        let before = fixture.workspace.generation
        guard case .committed(let version) = engine.commitJSON(text, caller: .current) else {
            Issue.record("nothing was committed")
            return
        }
        try fixture.write("b", [2])
        guard case .committed(let again) = engine.commitJSON(text, caller: .current, begunWith: before) else {
            Issue.record("it was committed")
            return
        }
        #expect(again.number == version.number)
        let successor = Engine(store: fixture.store, workspace: fixture.workspace)
        _ = successor.commitJSON(text, caller: .current, begunWith: before)
        let last = try parse(successor.lastCommitJSON())
        #expect(last["outcome"].string == "committed")
        #expect(last["version"]["version"].string == version.number.description)
        #expect(last["changed_entries"].isNull)
        let generation = fixture.workspace.generation
        guard case .committed(let next) = engine.commitJSON(text, caller: .current, begunWith: generation)
        else {
            Issue.record("it had not been committed since it began")
            return
        }
        #expect(next.number > version.number)
    }

    @Test(arguments: [#"{"tag": "mine"}"#, #"{"pin": true}"#])
    func `a request that comes again is not done by another's version without what it asks for`(text: String)
        throws
    {
        let fixture = try StoreFixture(["a": [1]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        let before = fixture.workspace.generation
        _ = write(#"{"tag": "other"}"#, to: engine)
        let bytes = Array(text.utf8)
        guard case .failed(let error) = engine.commitJSON(bytes, caller: .current, begunWith: before) else {
            Issue.record("nobody has made that version")
            return
        }
        #expect(error.code == .nothingToCommit)
        try fixture.write("b", [2])
        guard case .committed(let made) = engine.commitJSON(bytes, caller: .current, begunWith: before),
            case .committed(let again) = engine.commitJSON(bytes, caller: .current, begunWith: before)
        else {
            Issue.record("there was something to commit")
            return
        }
        #expect(made.number == VersionNumber(2))
        #expect(again.number == made.number)
    }

    @Test func `the last outcome is kept with its whole message`() throws {
        let fixture = try StoreFixture(["a": [1]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        #expect(try parse(engine.lastCommitJSON())["outcome"].string == "none")
        _ = write("{}", to: engine)
        let done = try parse(engine.lastCommitJSON())
        #expect(done["outcome"].string == "committed")
        #expect(done["version"]["version"].string == "v000001")
        _ = write("{}", to: engine)
        let refused = try parse(engine.lastCommitJSON())
        #expect(refused["outcome"].string == "failed")
        #expect(refused["error"]["code"].string == "nothing_to_commit")
        guard case .failed(let error) = write("{\"mesage\": 1}", to: engine) else {
            Issue.record("there is no such key")
            return
        }
        #expect(error.code == .invalidInput)
        #expect(try parse(engine.lastCommitJSON())["error"]["subject"].string == "mesage")
    }

    @Test func `what is not JSON fails at once`() throws {
        let fixture = try StoreFixture()
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        for text in ["hello", "[1]", "{]", "{} {}"] {
            guard case .failed(let error) = write(text, to: engine) else {
                Issue.record("\(text) is no commit")
                continue
            }
            #expect(error.code == .invalidInput)
        }
        let long = Array(repeating: UInt8(ascii: " "), count: ControlRequest.byteCountMax + 1)
        guard case .failed = engine.commitJSON(long, caller: .current) else {
            Issue.record("it is too long")
            return
        }
    }

    @Test func `status names the store, what is staged and the latest version`() throws {
        let fixture = try StoreFixture(["a": [1, 2]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        let fresh = try parse(engine.statusJSON())
        #expect(fresh["store"].string == fixture.store.path)
        #expect(fresh["latest"].isNull && fresh["mount"].isNull)
        #expect(fresh["staging"]["entries"].integer == 1)
        #expect(fresh["staging"]["bytes"].integer == 2)
        #expect(fresh["staging"]["base"].isNull)
        _ = write(#"{"tag": "one"}"#, to: engine)
        let later = try parse(engine.statusJSON())
        #expect(later["latest"]["tags"] == ["one"])
        #expect(later["staging"]["entries"].integer == 0)
        #expect(later["staging"]["base"].string == "v000001")
        #expect(later["totals"]["versions"].integer == 1)
    }

    @Test func `status lists staged changes when asked`() throws {
        let fixture = try StoreFixture(["a": [1, 2]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        let status = try engine.perform(.status(listsChanges: true), caller: .current)
        let change = status["staging"]["changes"].elements
        #expect(change.map(\.line) == [#"{"path":"a","change":"added","kind":"file","bytes":2}"#])
    }

    @Test func `metrics are in Prometheus' format`() throws {
        let fixture = try StoreFixture(["a": [1, 2]])
        let engine = Engine(store: fixture.store, workspace: fixture.workspace)
        _ = write("{}", to: engine)
        _ = write("{}", to: engine)
        let text = String(decoding: engine.metricsText(), as: UTF8.self)
        #expect(text.hasSuffix("\n"))
        let sample = /[a-z_]+(\{[a-z_]+="[^"]*"\})? -?[0-9.e+-]+/
        for line in text.split(separator: "\n") where !line.hasPrefix("# ") {
            #expect(line.wholeMatch(of: sample) != nil, "\(line)")
        }
        for line in [
            "firn_versions 1", "firn_blob_bytes 2", "firn_staged_entries 0",
            "firn_commits_total{outcome=\"committed\"} 1",
            "firn_commits_total{outcome=\"nothing_to_commit\"} 1", "# TYPE firn_commits_total counter",
        ] {
            #expect(text.contains(line + "\n"), "\(line)")
        }
    }
}
