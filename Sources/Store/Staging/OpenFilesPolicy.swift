/// What to do with files that a program can still write to when a version is sealed.
public enum OpenFilesPolicy: Hashable, Sendable {
    /// Capture what is there at that moment; the file stays staged as well.
    case include
    /// Leave it staged for the next version; this one has what the base has.
    case skip
    /// Wait until there are none; fail after so many seconds.
    case wait(seconds: Int)
    /// Fail at once.
    case fail

    /// Reads `include`, `skip`, `wait`, `wait=SECONDS` or `fail`.
    public init?(_ text: String) {
        switch text {
        case "include": self = .include
        case "skip": self = .skip
        case "fail": self = .fail
        case "wait": self = .wait(seconds: OpenFilesPolicy.waitSecondsDefault)
        default:
            guard text.hasPrefix("wait="), let seconds = Int(text.dropFirst(5)), seconds >= 0 else {
                return nil
            }
            self = .wait(seconds: seconds)
        }
    }

    public static let waitSecondsDefault = 60
}
