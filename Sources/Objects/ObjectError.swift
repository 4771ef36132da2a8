/// What can be wrong with bytes that claim to be one of Firn's objects, or with a name
/// or a policy that a person gave.
public struct ObjectError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// The bytes are not the canonical encoding of the object they claim to be.
        case malformed
        /// A tag, key or selector a person typed breaks the rules of its kind.
        case invalidName
        /// A number that cannot be stored: NaN or infinite.
        case invalidNumber
        /// A retention policy that says nothing of what to keep, and so would forget everything.
        case emptyPolicy
    }

    public let code: Code
    /// What went wrong, in words.
    public let message: String
    /// What it went wrong with: a digest, a name, a field.
    public let subject: String
    /// What to do next; empty when there is nothing a person could do.
    public let hint: String

    public init(_ code: Code, _ message: String, subject: String = "", hint: String = "") {
        self.code = code
        self.message = message
        self.subject = subject
        self.hint = hint
    }

    public var description: String {
        subject.isEmpty ? message : "\(subject): \(message)"
    }
}
