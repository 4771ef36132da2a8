import Glibc

/// An open file descriptor that closes itself with its last reference.
///
/// Bind it to a name before using ``fd``: a name lives to the end of its scope, while what an expression makes
/// in passing, as in `open(…).fd`, may be closed before the call that was to use it.
public final class Descriptor: Sendable {
    public let fd: Int32

    /// Takes ownership of `fd`.
    public init(_ fd: Int32) {
        self.fd = fd
    }

    deinit { _ = Glibc.close(fd) }
}
