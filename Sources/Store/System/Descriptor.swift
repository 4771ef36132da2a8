import Glibc

/// An open file descriptor that closes itself with its last reference.
///
/// To be bound to a name before ``fd`` is used: in `read(try open(…).fd)` nothing refers to the temporary any more
/// once its number is known, so it is closed before the call it was opened for.
public final class Descriptor: Sendable {
    public let fd: Int32

    /// Takes ownership of `fd`.
    public init(_ fd: Int32) {
        self.fd = fd
    }

    deinit { _ = Glibc.close(fd) }
}
