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

/// Makes backing files; nil where the kernel does not, or not for this file.
public typealias BackingRegistration = @Sendable (Descriptor) -> BackingFile?
