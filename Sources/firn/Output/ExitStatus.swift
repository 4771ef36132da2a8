import Control
import Store

/// What the process says to whoever started it. `firn --help` and the manual list them; they do not change.
enum ExitStatus: Int32 {
    case done = 0
    /// Understood, and refused or failed; standard error says why.
    case refused = 1
    /// The command line makes no sense.
    case usage = 2
    /// Stored data is not what it should be: `firn verify` found damage, or a command met some.
    case damaged = 3
    /// Something else is at work: another commit, another owner, programs that use the mount. May do later.
    case busy = 4
    /// Nothing has changed since the last version, so none was made.
    case nothingToCommit = 5

    init(_ error: StoreError) {
        switch error.code {
        case .damaged: self = .damaged
        case .busy, .filesOpen: self = .busy
        case .nothingToCommit: self = .nothingToCommit
        default: self = .refused
        }
    }
}

/// A command line that parses and yet makes no sense. Ends with ``ExitStatus/usage``.
struct UsageError: Error {
    let message: String
    let hint: String

    init(_ message: String, hint: String = "") {
        self.message = message
        self.hint = hint
    }
}

/// Ends the process with a status when all has been said already.
struct Ended: Error {
    let status: ExitStatus
}
