/// Who can write to which backing file: the seal asks before it trusts that a file will not change.
///
/// The VFS reports every open for writing and its end; without a mount there are none.
public final class WriteTracker: Sendable {
    private struct State {
        var writers: [UInt64: Int] = [:]
        /// Files that were opened for writing, or truncated by name, since the mark was taken.
        var touched: Set<UInt64> = []
    }

    private let state = Lock(State())

    public init() {}

    /// - Parameter backing: the backing file's own inode number.
    public func opened(_ backing: UInt64) {
        state.withLock {
            $0.writers[backing, default: 0] += 1
            $0.touched.insert(backing)
        }
    }

    public func closed(_ backing: UInt64) {
        state.withLock {
            guard let count = $0.writers[backing] else {
                preconditionFailure("closed more often than opened")
            }
            $0.writers[backing] = count == 1 ? nil : count - 1
            $0.touched.insert(backing)
        }
    }

    /// A change of the bytes without an open.
    public func touched(_ backing: UInt64) {
        state.withLock { _ = $0.touched.insert(backing) }
    }

    public func isOpen(_ backing: UInt64) -> Bool {
        state.withLock { $0.writers[backing] != nil }
    }

    public var openCount: Int { state.withLock { $0.writers.count } }

    /// Returns what was touched so far and forgets it, but for files that are open now.
    func takeMark() -> Set<UInt64> {
        state.withLock {
            let touched = $0.touched
            $0.touched = Set($0.writers.keys)
            return touched
        }
    }

    func wasTouched(_ backing: UInt64) -> Bool {
        state.withLock { $0.touched.contains(backing) }
    }
}
