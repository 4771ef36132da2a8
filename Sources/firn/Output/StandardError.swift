import Glibc
import Store

/// What is said to the person and not to a program: errors, warnings, questions.
enum StandardError {
    static func line(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// `firn: SUBJECT: what went wrong` and, below, what to do.
    static func report(_ error: StoreError) {
        report(error.message, subject: error.subject, hint: error.hint)
    }

    static func report(_ message: String, subject: String = "", hint: String = "") {
        let subject = subject.isEmpty ? "" : Printable.text(subject) + ": "
        line("firn: \(subject)\(Printable.text(message))")
        if !hint.isEmpty { line("  hint: \(Printable.text(hint))") }
    }

    /// Asks a question that is answered with yes or no; anything but yes is no.
    static func confirms(_ question: String) -> Bool {
        let text = Array("\(question) [y/N] ".utf8)
        _ = text.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        let answer = readLine()?.lowercased() ?? ""
        return answer == "y" || answer == "yes"
    }

    /// Whether there is a person to ask.
    static var canAsk: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDERR_FILENO) == 1 }
}
