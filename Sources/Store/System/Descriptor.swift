import Glibc

/// An open file descriptor that closes itself with its last reference.
public final class Descriptor: Sendable {
    public let fd: Int32

    /// Takes ownership of `fd`.
    public init(_ fd: Int32) {
        self.fd = fd
    }

    deinit { _ = Glibc.close(fd) }
}
