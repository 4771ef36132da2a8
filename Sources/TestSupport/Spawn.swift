internal import Glibc
public import SystemPackage

/// Runs small programs by the hundred: an eighth of what Foundation takes for one.
public enum Spawn {
    /// Runs a program to its end. It gets this process's standard streams.
    ///
    /// - Returns: its exit status, or the number of the signal that ended it, negative.
    public static func run(_ command: [String]) throws(Errno) -> Int32 {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var child = pid_t()
        let error = posix_spawn(&child, command[0], nil, nil, &arguments, environ)
        guard error == 0 else { throw Errno(rawValue: error) }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0 {
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f)
    }
}
