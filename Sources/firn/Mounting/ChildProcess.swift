import Glibc
import Store
import SystemPackage

/// Runs another program to its end.
enum ChildProcess {
    /// - Returns: its exit status; 128 and the signal's number when one ended it.
    /// - Throws: ``StoreError`` of the system when it could not be started.
    static func run(_ program: String, _ arguments: [String]) throws(StoreError) -> Int32 {
        var child = pid_t()
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        let error = posix_spawnp(&child, program, nil, nil, &words, environ)
        guard error == 0 else {
            throw StoreError(Errno(rawValue: error), doing: "start \(program)", subject: arguments.last ?? "")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? status >> 8 & 0xFF : 128 + signal
    }
}
