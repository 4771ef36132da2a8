internal import Glibc
public import Objects
public import SystemPackage

/// Why the store could not do what was asked.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    public enum Code: Hashable, Sendable {
        /// The directory is not a store, or is one already where a new one was asked for.
        case notAStore
        case alreadyAStore
        /// Written by a newer program.
        case newerFormat
        /// Another process owns the store, or another commit is running.
        case busy
        case unknownVersion
        case ambiguousVersion
        case unknownPath
        case tagExists
        case unknownTag
        /// A name, number or option that breaks its rules.
        case invalidInput
        case nothingToCommit
        /// `--open-files fail` or `wait` met files that are open for writing.
        case filesOpen
        /// Staged changes would be thrown away without having been asked for.
        case stagedChanges
        /// Stored bytes are not what they should be.
        case damaged
        /// The system refused: a full disk, a missing permission, an I/O error.
        case system(Errno)
    }

    public let code: Code
    /// What went wrong.
    public let message: String
    /// With which path, digest, version or tag.
    public let subject: String
    /// What to do next; empty where there is nothing.
    public let hint: String

    public init(_ code: Code, _ message: String, subject: String = "", hint: String = "") {
        self.code = code
        self.message = message
        self.subject = subject
        self.hint = hint
    }

    /// An error of the system while `doing` something with `subject`.
    public init(_ errno: Errno, doing: String, subject: String) {
        self.init(
            .system(errno), "cannot \(doing): \(errno)", subject: subject, hint: StoreError.hint(for: errno))
    }

    public init(_ error: ObjectError) {
        self.init(
            error.code == .malformed ? .damaged : .invalidInput, error.message, subject: error.subject,
            hint: error.hint)
    }

    /// The system's own word for it, where that is the cause.
    public var errno: Errno? {
        if case .system(let errno) = code { errno } else { nil }
    }

    public var description: String {
        (subject.isEmpty ? "" : "\(subject): ") + message + (hint.isEmpty ? "" : " (\(hint))")
    }

    private static func hint(for errno: Errno) -> String {
        switch errno {
        case .noSpace: "free space on the store's filesystem and try again; nothing was lost"
        case .diskQuotaExceeded: "raise the quota or free space and try again; nothing was lost"
        case .notPermitted where geteuid() == 0:
            "look for an immutable or append-only file (lsattr), or a security module that forbids it"
        case .permissionDenied, .notPermitted:
            "run as the user who owns the store, and let the owner into the path (chmod u+rwx)"
        case .readOnlyFileSystem: "the store's filesystem is mounted read-only; remount it for writing"
        case .tooManyOpenFiles, .tooManyOpenFilesInSystem: "raise the limit on open files (ulimit -n)"
        case .ioError: "check the disk and the system's log"
        default: ""
        }
    }
}

/// Runs a system call and names what it was for where it fails.
func system<Result>(
    _ doing: @autoclosure () -> String, _ subject: @autoclosure () -> String,
    _ call: () throws(Errno) -> Result
) throws(StoreError) -> Result {
    do throws(Errno) { return try call() } catch {
        throw StoreError(error, doing: doing(), subject: subject())
    }
}
