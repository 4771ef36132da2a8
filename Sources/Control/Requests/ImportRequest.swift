public import Objects
public import Store

/// Brings a directory of the host, or what is in a tar archive, into staging, and seals it unless told otherwise.
public struct ImportRequest: Hashable, Sendable {
    /// The absolute path of the directory, as whoever owns the store sees it. Of an archive the name it is spoken
    /// of by.
    public var source: [UInt8]
    /// The source is an archive, whose open file comes along with the request.
    public var isArchive: Bool
    /// Where in staging its content goes.
    public var target: TreePath
    /// Whether it may replace what is there, and be committed together with what else is staged.
    public var isForced: Bool
    /// nil leaves it staged.
    public var commit: CommitRequest?

    public init(
        source: [UInt8], isArchive: Bool = false, target: TreePath = .root, isForced: Bool = false,
        commit: CommitRequest?
    ) {
        self.source = source
        self.isArchive = isArchive
        self.target = target
        self.isForced = isForced
        self.commit = commit
    }
}

extension ImportRequest {
    init(from fields: inout JSONFields) throws(StoreError) {
        guard let source = fields.value("source")?.exactBytes else { throw fields.missing("source") }
        self.source = source
        isArchive = try fields.flag("archive")
        target =
            try fields.value("target").map { value throws(StoreError) in
                try TreePath(exact: value)
            } ?? .root
        isForced = try fields.flag("force")
        commit = try fields.value("commit").map { value throws(StoreError) in
            try CommitRequest(json: value, allowsAuthor: true)
        }
    }

    var json: JSONValue {
        [
            "source": .exact(source),
            "archive": .bool(isArchive),
            "target": .exact(target.bytes),
            "force": .bool(isForced),
            "commit": commit?.json ?? .null,
        ]
    }
}

extension TreePath {
    /// Reads a path in the form of ``JSONValue/exact(_:)``.
    init(exact value: JSONValue) throws(StoreError) {
        guard let bytes = value.exactBytes else { throw StoreError(.invalidInput, "not a path") }
        do throws(ObjectError) { try self.init(bytes) } catch { throw StoreError(error) }
    }
}
