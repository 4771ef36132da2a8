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

/// A backing file that another daemon registered with the same kernel.
final class KnownBacking {
    private let id: Int32
    private let registration: BackingRegistration
    /// One for all that have it open.
    private(set) lazy var file = BackingFile(id: id, close: registration.close)

    init(id: Int32, _ registration: BackingRegistration) {
        self.id = id
        self.registration = registration
    }
}

/// Makes backing files.
///
/// A type and not a bare function: a function kept in a generic container such as ``Lock`` is wrapped once more
/// with every access, and after thousands of accesses a call takes milliseconds.
public struct BackingRegistration: Sendable {
    private let open: @Sendable (Descriptor, _ keepsSetIDs: Bool) -> Int32?
    /// Gives up one by its number.
    let close: @Sendable (Int32) -> Void

    /// - Parameter open: the kernel's number for a file, or nil.
    public init(
        open: @escaping @Sendable (Descriptor, _ keepsSetIDs: Bool) -> Int32?,
        close: @escaping @Sendable (Int32) -> Void
    ) {
        self.open = open
        self.close = close
    }

    /// nil where the kernel takes no backing files, or not this one.
    func register(_ file: Descriptor, keepsSetIDs: Bool) -> BackingFile? {
        open(file, keepsSetIDs).map { BackingFile(id: $0, close: close) }
    }

    /// The same, which tells of every number that it has given up.
    func noting(_ released: @escaping @Sendable (Int32) -> Void) -> BackingRegistration {
        BackingRegistration(open: open) { [close] id in
            close(id)
            released(id)
        }
    }

    static let none = BackingRegistration(open: { _, _ in nil }, close: { _ in })
}
