public import Objects
public import Store

/// A commit as a JSON object: what is written to `.firn/commit`, and what the tool sends to a daemon.
///
/// | key | value | default |
/// |---|---|---|
/// | `message` | text | empty |
/// | `tags`, `tag` | array of texts; one text | none |
/// | `params`, `meta` | object of texts (numbers and true or false are taken as text) | none |
/// | `metrics` | object of finite numbers | none |
/// | `run` | text | none |
/// | `allow_empty`, `force`, `pin` | true or false | false |
/// | `open_files` | `include`, `skip`, `wait`, `wait=SECONDS`, `fail` | `include` |
/// | `author` | text; not in `.firn/commit`, where it is always the writer | the caller |
extension CommitRequest {
    /// - Parameter allowsAuthor: whether the document may say who the author is.
    /// - Throws: ``StoreError`` `.invalidInput`, naming the key, for any other key and for a value that breaks
    ///   its rules.
    public init(json: JSONValue, allowsAuthor: Bool = false) throws(StoreError) {
        var fields = try JSONFields(json, of: "commit")
        try self.init(from: &fields, allowsAuthor: allowsAuthor)
        try fields.end()
    }

    init(from fields: inout JSONFields, allowsAuthor: Bool) throws(StoreError) {
        self.init()
        message = try fields.text("message") ?? ""
        var names = try fields.texts("tags")
        if let name = try fields.text("tag") { names.append(name) }
        tags = try CommitRequest.tags(names)
        run = try fields.text("run")
        metadata = try Metadata(from: &fields)
        allowsEmpty = try fields.flag("allow_empty")
        movesTags = try fields.flag("force")
        pins = try fields.flag("pin")
        if let text = try fields.text("open_files") { openFiles = try OpenFilesPolicy(parsing: text) }
        if allowsAuthor { author = try fields.text("author") ?? "" }
    }

    /// Checks each name; a name given twice counts once.
    public static func tags(_ names: [String]) throws(StoreError) -> [TagName] {
        var tags: [TagName] = []
        for name in names {
            do throws(ObjectError) {
                let tag = try TagName(name)
                if !tags.contains(tag) { tags.append(tag) }
            } catch { throw StoreError(error) }
        }
        return tags
    }

    /// The document that ``init(json:allowsAuthor:)`` reads.
    public var json: JSONValue {
        let document: JSONValue = ["message": .string(message), "tags": .texts(tags.map(\.text))]
        return document.appending(metadata.json).appending([
            "run": .text(run),
            "allow_empty": .bool(allowsEmpty),
            "force": .bool(movesTags),
            "pin": .bool(pins),
            "open_files": .string(openFiles.text),
            "author": .string(author),
        ])
    }
}

extension OpenFilesPolicy {
    /// - Throws: ``StoreError`` `.invalidInput` for a word that is none.
    public init(parsing text: String) throws(StoreError) {
        guard let policy = OpenFilesPolicy(text) else {
            throw StoreError(
                .invalidInput, "not a way to treat files that are open for writing", subject: text,
                hint: "give include, skip, wait, wait=SECONDS or fail")
        }
        self = policy
    }

    /// The word that ``init(_:)`` reads.
    public var text: String {
        switch self {
        case .include: "include"
        case .skip: "skip"
        case .wait(let seconds): "wait=\(seconds)"
        case .fail: "fail"
        }
    }
}
