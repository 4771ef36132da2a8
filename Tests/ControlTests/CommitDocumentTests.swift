import Control
import Objects
import Store
import Testing

@Suite struct CommitDocumentTests {
    private func read(_ text: String, allowsAuthor: Bool = false) throws -> CommitRequest {
        try CommitRequest(json: try JSONParser.parse(Array(text.utf8)), allowsAuthor: allowsAuthor)
    }

    @Test func `every key is understood`() throws {
        let request = try read(
            """
            {"message": "m", "tags": ["a", "b"], "tag": "c", "params": {"lr": 3e-4, "n": 10, "on": true},
             "metrics": {"auc": 0.93}, "meta": {"k": "v"}, "run": "r", "allow_empty": true, "force": true,
             "pin": true, "open_files": "skip"}
            """)
        #expect(request.message == "m")
        #expect(request.tags.map(\.text) == ["a", "b", "c"])
        #expect(request.metadata.params == ["lr": "3e-4", "n": "10", "on": "true"])
        #expect(request.metadata.metrics == ["auc": 0.93])
        #expect(request.metadata.meta == ["k": "v"])
        #expect(request.run == "r")
        #expect(request.allowsEmpty && request.movesTags && request.pins)
        #expect(request.openFiles == .skip)
    }

    @Test func `an empty object is a plain commit`() throws {
        #expect(try read("{}") == CommitRequest())
    }

    @Test(arguments: [
        (#"{"mesage": "x"}"#, "mesage", "message"),
        (#"{"metrics": {"auc": NaN}}"#, "auc", "--meta"),
        (#"{"metrics": {"auc": 1e999}}"#, "auc", "--meta"),
        (#"{"metrics": {"auc": "0.9"}}"#, "auc", "params"),
        (#"{"params": {"net": {"depth": 3}}}"#, "params.net", "staging/"),
        (#"{"tags": ["42"]}"#, "42", "tag"),
        (#"{"tags": "baseline"}"#, "tags", ""),
        (#"{"allow_empty": "yes"}"#, "allow_empty", ""),
        (#"{"open_files": "maybe"}"#, "maybe", "include"),
        (#"{"author": "eve"}"#, "author", "message"),
        (#"[]"#, "commit", ""),
    ])
    func `a slip is refused by the name of its key`(text: String, subject: String, hint: String) {
        #expect {
            try read(text)
        } throws: { error in
            guard let error = error as? StoreError else { return false }
            return error.code == .invalidInput && error.subject == subject
                && (hint.isEmpty || error.hint.contains(hint))
        }
    }

    @Test func `the tool may name another author, the mount may not`() throws {
        #expect(try read(#"{"author": "ada"}"#, allowsAuthor: true).author == "ada")
    }

    @Test func `a metadata document has three parts and no others`() throws {
        let text = #"{"params": {"a": "1"}, "metrics": {"b": 2}, "meta": {"c": "3"}}"#
        let metadata = try Metadata(json: try JSONParser.parse(Array(text.utf8)))
        #expect(metadata == Metadata(params: ["a": "1"], metrics: ["b": 2], meta: ["c": "3"]))
        #expect(try Metadata(json: metadata.json) == metadata)
        #expect(throws: StoreError.self) { try Metadata(json: ["message": "x"]) }
    }
}
