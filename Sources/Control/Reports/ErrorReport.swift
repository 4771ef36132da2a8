public import Store
internal import SystemPackage

// Errors as JSON, so that what a daemon refuses reads and counts the same as what the tool itself refuses.
extension JSONValue {
    /// `{"code", "message", "subject", "hint"}`, and `errno` where the system is the cause.
    public init(error: StoreError) {
        self = [
            "code": .string(error.code.text),
            "message": .string(error.message),
            "subject": .string(error.subject),
            "hint": .string(error.hint),
        ]
        if let errno = error.errno { self = appending(["errno": .integer(errno.rawValue)]) }
    }

    /// The inverse of ``init(error:)``. A code that this program does not know, or a document that is no error
    /// at all, becomes a system error, so that a failure never reads as anything else.
    public var storeError: StoreError {
        StoreError(
            StoreError.Code(text: self["code"].string ?? "", errno: self["errno"].integer),
            self["message"].string ?? "the daemon's answer cannot be read",
            subject: self["subject"].string ?? "", hint: self["hint"].string ?? "")
    }
}

extension StoreError.Code {
    /// The codes that stand alone, by their stable names; `system` comes with an errno.
    private static let plain: [String: StoreError.Code] = [
        "not_a_store": .notAStore,
        "already_a_store": .alreadyAStore,
        "newer_format": .newerFormat,
        "busy": .busy,
        "unknown_version": .unknownVersion,
        "ambiguous_version": .ambiguousVersion,
        "unknown_path": .unknownPath,
        "tag_exists": .tagExists,
        "unknown_tag": .unknownTag,
        "invalid_input": .invalidInput,
        "nothing_to_commit": .nothingToCommit,
        "files_open": .filesOpen,
        "staged_changes": .stagedChanges,
        "damaged": .damaged,
    ]

    /// The stable name of the code: `tag_exists`.
    public var text: String {
        switch self {
        case .notAStore: "not_a_store"
        case .alreadyAStore: "already_a_store"
        case .newerFormat: "newer_format"
        case .busy: "busy"
        case .unknownVersion: "unknown_version"
        case .ambiguousVersion: "ambiguous_version"
        case .unknownPath: "unknown_path"
        case .tagExists: "tag_exists"
        case .unknownTag: "unknown_tag"
        case .invalidInput: "invalid_input"
        case .nothingToCommit: "nothing_to_commit"
        case .filesOpen: "files_open"
        case .stagedChanges: "staged_changes"
        case .damaged: "damaged"
        case .system: "system"
        }
    }

    init(text: String, errno: Int?) {
        let errno = errno.flatMap { CInt(exactly: $0) }.map { Errno(rawValue: $0) }
        self = StoreError.Code.plain[text] ?? .system(errno ?? .ioError)
    }
}
