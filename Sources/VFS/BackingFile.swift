public import Store

/// A file that the kernel reads, writes and maps without asking, for as long as this lives.
///
/// A node has one at a time, and all its open handles share it: the kernel refuses two ways into one inode.
public final class BackingFile: Sendable {
    /// The kernel's number for it.
    public let id: Int32
    private let close: @Sendable (Int32) -> Void

    public init(id: Int32, close: @escaping @Sendable (Int32) -> Void) {
        self.id = id
        self.close = close
    }

    deinit { close(id) }
}

/// Makes backing files.
///
/// A type and not a bare function: a function kept in a generic container such as ``Lock`` is wrapped once more
/// with every access, and after thousands of accesses a call takes milliseconds.
public struct BackingRegistration: Sendable {
    /// nil where the kernel takes no backing files, or not this one.
    public let register: @Sendable (Descriptor) -> BackingFile?

    public init(_ register: @escaping @Sendable (Descriptor) -> BackingFile?) {
        self.register = register
    }

    static let none = BackingRegistration { _ in nil }
}
