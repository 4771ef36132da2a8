import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import Control

@Suite struct ControlRequestTests {
    static var samples: [ControlRequest] {
        var commit = CommitRequest()
        commit.message = "first\n\"try\""
        commit.author = "mara@lab"
        commit.tags = [try! TagName("a"), try! TagName("b-1")]
        commit.run = "run 7"
        commit.metadata = Metadata(
            params: ["lr": "3e-4"], metrics: ["auc": 0.1, "n": 3], meta: ["note": "é"])
        commit.openFiles = .wait(seconds: 7)
        (commit.movesTags, commit.pins, commit.allowsEmpty) = (true, true, true)
        var policy = RetentionPolicy()
        policy.keepLast = 3
        policy.keepDaily = RetentionPolicy.unlimited
        policy.keepWithin = RetentionPeriod(months: 6, days: 2)
        policy.keepTags = [try! TagName("best")]
        policy.forgetTagged = [try! TagPattern("nightly-*")]
        let odd = TreePath(names: [FileName(unchecked: [0x61, 0xE9]), FileName(literal: "b")])
        return [
            .commit(CommitRequest()), .commit(commit), .abort,
            .tag(name: "best", version: "latest~1", moves: true), .untag(names: ["a", "b"]),
            .pin(versions: ["v1"]), .unpin(versions: ["latest"]),
            .annotate(version: "v1", notes: [.init(key: "k", value: "v=w")], author: "ada"),
            .restore(version: "v1", paths: [.root, "a/b", odd], isForced: true),
            .importTree(ImportRequest(source: [0x2F, 0xE9], target: odd, isForced: true, commit: commit)),
            .importTree(ImportRequest(source: Array("/data".utf8), commit: nil)),
            .importTree(ImportRequest(source: Array("-".utf8), isArchive: true, commit: nil)),
            .forget(ForgetRequest.policy(policy)), .forget(ForgetRequest.versions(["v1", "v2"])),
            .gc(isDryRun: true), .status(listsChanges: true), .unmount,
        ]
    }

    @Test(arguments: samples)
    func `a request survives the wire`(request: ControlRequest) throws {
        let line = request.line
        #expect(!line.contains("\n"))
        #expect(try ControlRequest(line: Array(line.utf8)) == request)
    }

    @Test(arguments: [
        "", "{}", "[]", "{\"protocol\":2,\"verb\":\"abort\"}", "{\"protocol\":1}",
        "{\"protocol\":1,\"verb\":\"dance\"}", "{\"protocol\":1,\"verb\":\"abort\",\"x\":1}",
        "{\"protocol\":1,\"verb\":\"tag\",\"name\":\"a\"}",
        "{\"protocol\":1,\"verb\":\"untag\",\"names\":\"a\"}",
        "{\"protocol\":1,\"verb\":\"untag\",\"names\":[1]}",
        "{\"protocol\":1,\"verb\":\"restore\",\"version\":\"v1\",\"paths\":[\"a/../b\"]}",
        "{\"protocol\":1,\"verb\":\"restore\",\"version\":\"v1\",\"paths\":[{\"base64\":\"?\"}]}",
        "{\"protocol\":1,\"verb\":\"forget\",\"keep_last\":-3}",
        "{\"protocol\":1,\"verb\":\"forget\",\"keep_within\":\"7\"}",
        "{\"protocol\":1,\"verb\":\"commit\",\"open_files\":\"ask\"}",
        "{\"protocol\":1,\"verb\":\"gc\",\"dry_run\":1}",
        "{\"protocol\":1,\"verb\":\"import\"}",
    ])
    func `what is no request is refused as bad input`(line: String) {
        #expect {
            try ControlRequest(line: Array(line.utf8))
        } throws: { ($0 as? StoreError)?.code == .invalidInput }
    }

    @Test func `mutilated requests throw and never trap`() {
        var generator = SeededGenerator(seed: 2)
        for sample in ControlRequestTests.samples.map({ Array($0.line.utf8) }) {
            for _ in 0..<500 {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...5, using: &generator) {
                    bytes[Int.random(in: bytes.indices, using: &generator)] =
                        .random(in: 0x20...0x7E, using: &generator)
                }
                _ = try? ControlRequest(line: bytes)
            }
        }
    }

    @Test func `answers survive the wire`() throws {
        let error = StoreError(.tagExists, "taken", subject: "best", hint: "--force")
        for reply in [
            ControlReply.progress(phase: "hashing", done: 3, total: 7), .result(["a": .null]),
            .failure(JSONValue(error: error)),
        ] {
            #expect(try ControlReply(line: Array(reply.line.utf8)) == reply)
        }
        for line in ["", "{}", "{\"result\":1,\"error\":2}", "{\"progress\":{}}", "{\"hello\":1}"] {
            #expect(throws: StoreError.self) { try ControlReply(line: Array(line.utf8)) }
        }
    }

    @Test(arguments: [
        StoreError.Code.notAStore, .alreadyAStore, .newerFormat, .busy, .unknownVersion, .ambiguousVersion,
        .unknownPath, .tagExists, .unknownTag, .invalidInput, .nothingToCommit, .filesOpen, .stagedChanges,
        .damaged, .system(.noSpace), .system(.ioError),
    ])
    func `errors survive the wire`(code: StoreError.Code) {
        let error = StoreError(code, "what", subject: "which", hint: "then")
        let read = JSONValue(error: error).storeError
        #expect(read.code == code)
        #expect([read.message, read.subject, read.hint] == ["what", "which", "then"])
    }

    @Test func `an error of a newer daemon is still an error`() {
        let document: JSONValue = ["code": "melted", "message": "it melted"]
        #expect(document.storeError.code == .system(.ioError))
        #expect(document.storeError.message == "it melted")
    }
}
