public import Objects
public import Store

/// One thing that only the owner of a store can do: what the tool asks of a daemon, or does itself where none
/// runs.
///
/// As a message it is one line of JSON: an object with `protocol`, `verb` and the fields of the verb.
public enum ControlRequest: Hashable, Sendable {
    case commit(CommitRequest)
    case abort
    /// - Parameters:
    ///   - version: a selector, as all versions here.
    ///   - moves: whether a tag that is taken moves.
    case tag(name: String, version: String, moves: Bool)
    case untag(names: [String])
    case pin(versions: [String])
    case unpin(versions: [String])
    case annotate(version: String, notes: [Note], author: String)
    /// - Parameter paths: empty for the whole tree.
    case restore(version: String, paths: [TreePath], isForced: Bool)
    case importTree(ImportRequest)
    case forget(ForgetRequest)
    case gc(isDryRun: Bool)
    /// - Parameter listsChanges: whether every staged change is listed too.
    case status(listsChanges: Bool)
    case unmount

    /// A key and a value to be added to a version.
    public struct Note: Hashable, Sendable {
        public let key: String
        public let value: String

        public init(key: String, value: String) {
            self.key = key
            self.value = value
        }
    }

    /// Raised when an older daemon could misread a request.
    public static let protocolNumber = 1
    /// A line longer than this is refused.
    public static let byteCountMax = 1 << 20
}

extension ControlRequest {
    public var verb: String {
        switch self {
        case .commit: "commit"
        case .abort: "abort"
        case .tag: "tag"
        case .untag: "untag"
        case .pin: "pin"
        case .unpin: "unpin"
        case .annotate: "annotate"
        case .restore: "restore"
        case .importTree: "import"
        case .forget: "forget"
        case .gc: "gc"
        case .status: "status"
        case .unmount: "unmount"
        }
    }

    /// The message, without the newline that ends it.
    public var line: String {
        let head: JSONValue = ["protocol": .integer(ControlRequest.protocolNumber), "verb": .string(verb)]
        return head.appending(fields).line
    }

    private var fields: JSONValue {
        switch self {
        case .commit(let request): request.json
        case .abort, .unmount: [:]
        case .status(let listsChanges): ["changes": .bool(listsChanges)]
        case .tag(let name, let version, let moves):
            ["name": .string(name), "version": .string(version), "force": .bool(moves)]
        case .untag(let names): ["names": .texts(names)]
        case .pin(let versions), .unpin(let versions): ["versions": .texts(versions)]
        case .annotate(let version, let notes, let author):
            [
                "version": .string(version),
                "notes": .array(notes.map { ["key": .string($0.key), "value": .string($0.value)] }),
                "author": .string(author),
            ]
        case .restore(let version, let paths, let isForced):
            [
                "version": .string(version),
                "paths": .array(paths.map { .exact($0.bytes) }),
                "force": .bool(isForced),
            ]
        case .importTree(let request): request.json
        case .forget(let request): request.json
        case .gc(let isDryRun): ["dry_run": .bool(isDryRun)]
        }
    }
}

extension ControlRequest {
    /// Reads a message that nobody vouches for.
    ///
    /// - Throws: ``StoreError`` `.invalidInput` for anything but what ``line`` writes.
    public init(line: [UInt8]) throws(StoreError) {
        let json: JSONValue
        do throws(JSONParseError) { json = try JSONParser.parse(line) } catch {
            throw StoreError(.invalidInput, "the request is not a JSON document", subject: "request")
        }
        var fields = try JSONFields(json, of: "request")
        let number = try fields.integer("protocol")
        guard number == ControlRequest.protocolNumber else {
            throw StoreError(
                .invalidInput, "the daemon and the tool do not speak the same protocol", subject: "request",
                hint: "unmount and mount again, so that both are of the same version of firn")
        }
        self = try ControlRequest.request(try fields.requiredText("verb"), &fields)
        try fields.end()
    }

    private static func request(
        _ verb: String, _ fields: inout JSONFields
    ) throws(StoreError) -> ControlRequest {
        switch verb {
        case "commit": return .commit(try CommitRequest(from: &fields, allowsAuthor: true))
        case "abort": return .abort
        case "tag":
            return .tag(
                name: try fields.requiredText("name"), version: try fields.requiredText("version"),
                moves: try fields.flag("force"))
        case "untag": return .untag(names: try fields.texts("names"))
        case "pin": return .pin(versions: try fields.texts("versions"))
        case "unpin": return .unpin(versions: try fields.texts("versions"))
        case "annotate":
            return .annotate(
                version: try fields.requiredText("version"), notes: try notes(&fields),
                author: try fields.text("author") ?? "")
        case "restore":
            return .restore(
                version: try fields.requiredText("version"), paths: try paths(&fields),
                isForced: try fields.flag("force"))
        case "import": return .importTree(try ImportRequest(from: &fields))
        case "forget": return .forget(try ForgetRequest(from: &fields))
        case "gc": return .gc(isDryRun: try fields.flag("dry_run"))
        case "status": return .status(listsChanges: try fields.flag("changes"))
        case "unmount": return .unmount
        default: throw StoreError(.invalidInput, "there is no such verb", subject: verb)
        }
    }

    private static func notes(_ fields: inout JSONFields) throws(StoreError) -> [Note] {
        var notes: [Note] = []
        for element in try fields.array("notes") {
            var note = try JSONFields(element, of: "note")
            notes.append(Note(key: try note.requiredText("key"), value: try note.requiredText("value")))
            try note.end()
        }
        return notes
    }

    private static func paths(_ fields: inout JSONFields) throws(StoreError) -> [TreePath] {
        var paths: [TreePath] = []
        for element in try fields.array("paths") { paths.append(try TreePath(exact: element)) }
        return paths
    }
}
