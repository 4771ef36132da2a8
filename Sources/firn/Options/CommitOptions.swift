import ArgumentParser
import Control
import Objects
import Store
import SystemPackage

/// What is said of a version when it is made: for `firn commit` and `firn import`.
struct CommitOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "What this version is.")
    var message: String?

    @Option(name: .shortAndLong, help: "A tag to put on the version. May be repeated.")
    var tag: [String] = []

    @Option(help: ArgumentHelp("A parameter of the run, as text. May be repeated.", valueName: "key=value"))
    var param: [Pair] = []

    @Option(
        help: ArgumentHelp("A result of the run, a finite number. May be repeated.", valueName: "key=number"))
    var metric: [Pair] = []

    @Option(help: ArgumentHelp("Anything else, as text. May be repeated.", valueName: "key=value"))
    var meta: [Pair] = []

    @Option(
        help: ArgumentHelp(
            "A JSON document {\"params\": {}, \"metrics\": {}, \"meta\": {}}; what the options above give wins.",
            valueName: "file"),
        completion: .file(extensions: ["json"]))
    var metadata: PathArgument?

    @Option(help: ArgumentHelp("The execution that made it, by your own name for it.", valueName: "id"))
    var run: String?

    @Option(help: "Who made it (default: you, as user@host).")
    var author: String?

    @Option(
        help: ArgumentHelp(
            "Files that are open for writing: include, skip, wait, wait=SECONDS or fail.", valueName: "what"),
        completion: .list(["include", "skip", "wait", "fail"]))
    var openFiles = "include"

    @Flag(help: "Pin the version: no retention policy forgets it.")
    var pin = false

    /// A key and a value, cut at the first `=`.
    struct Pair: ExpressibleByArgument, Hashable, Sendable {
        let key: String
        let value: String

        init?(argument: String) {
            guard let index = argument.firstIndex(of: "="), index > argument.startIndex else { return nil }
            key = RawArgument.text(String(argument[..<index]))
            value = RawArgument.text(String(argument[argument.index(after: index)...]))
        }
    }

    /// - Parameters:
    ///   - allowsEmpty: whether a version is made even if nothing changed.
    ///   - movesTags: whether tags that are taken move.
    /// - Throws: ``StoreError`` `.invalidInput` for a tag, key, value or metadata file that breaks its rules;
    ///   ``UsageError`` for a metric that is not a number at all.
    func request(allowsEmpty: Bool, movesTags: Bool) throws -> CommitRequest {
        var request = CommitRequest()
        request.message = RawArgument.text(message ?? "")
        request.author = author ?? ""
        request.tags = try CommitRequest.tags(tag)
        request.movesTags = movesTags
        request.run = run
        request.pins = pin
        request.allowsEmpty = allowsEmpty
        request.openFiles = try OpenFilesPolicy(parsing: openFiles)
        if let metadata { request.metadata = try CommitOptions.read(metadata) }
        request.metadata = request.metadata.merging(try givenMetadata())
        do throws(ObjectError) { try request.metadata.validate() } catch { throw StoreError(error) }
        return request
    }

    private func givenMetadata() throws -> Metadata {
        var given = Metadata()
        for pair in param { given.params[pair.key] = pair.value }
        for pair in meta { given.meta[pair.key] = pair.value }
        for pair in metric {
            guard let number = Double(pair.value) else {
                throw UsageError(
                    "the metric \(pair.key) is '\(pair.value)', which is not a number",
                    hint: "give text with --param or --meta")
            }
            given.metrics[pair.key] = number
        }
        return given
    }

    private static func read(_ file: PathArgument) throws(StoreError) -> Metadata {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try SmallFile.read(RawPath(file.bytes)) } catch {
            throw StoreError(error, doing: "read the metadata file", subject: file.text)
        }
        let json: JSONValue
        do throws(JSONParseError) { json = try JSONParser.parse(bytes) } catch {
            throw StoreError(
                .invalidInput, "not a JSON document: \(error.problem)", subject: file.text,
                hint: #"write an object such as {"params": {"lr": 3e-4}, "metrics": {"auc": 0.93}}"#)
        }
        do throws(StoreError) { return try Metadata(json: json) } catch {
            let subject = error.subject.isEmpty ? file.text : "\(file.text): \(error.subject)"
            throw StoreError(error.code, error.message, subject: subject, hint: error.hint)
        }
    }
}

extension JSONParseError {
    /// What is wrong, and where.
    var problem: String {
        switch self {
        case .incomplete: "it ends in the middle"
        case .malformed(let message, let line, let column): "\(message) (line \(line), column \(column))"
        }
    }
}
