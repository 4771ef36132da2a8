/// Who can write to which backing file, and what has changed since somebody began to ask: the seal needs to know before
/// it trusts that a file will not change, or has not.
///
/// The VFS reports every open, every end of one, and every change; without a mount there are none.
public final class WriteTracker: Sendable {
    private struct State {
        var writers: [UInt64: Int] = [:]
        /// Who has them open for reading, also where the kernel is about to open them for a program.
        var readers: [UInt64: Int] = [:]
        /// Files that were opened for writing, or truncated by name, since the mark was taken.
        var touched: Set<UInt64> = []
        /// What was opened or changed since ``watch()``; nil while nobody watches.
        var changed: Set<UInt64>?
        /// Files of which a lease has shown that nobody has them open or mapped, and that nobody has opened since.
        var unused: Set<UInt64> = []
        /// Files that a seal has given a name in `objects/`, which is not theirs to count yet.
        var linked: Set<UInt64> = []

        static func end(_ backing: UInt64, of opens: inout [UInt64: Int]) {
            guard let count = opens[backing] else { preconditionFailure("closed more often than opened") }
            opens[backing] = count == 1 ? nil : count - 1
        }
    }

    private let state = Lock(State())

    public init() {}

    /// - Parameter backing: the backing file's own inode number.
    public func opened(_ backing: UInt64) {
        state.withLock {
            $0.writers[backing, default: 0] += 1
            $0.unused.remove(backing)
            $0.touched.insert(backing)
            $0.changed?.insert(backing)
        }
    }

    public func closed(_ backing: UInt64) {
        state.withLock {
            State.end(backing, of: &$0.writers)
            $0.touched.insert(backing)
            $0.changed?.insert(backing)
        }
    }

    /// A file was opened for reading: there will be a user of it, if there is none yet.
    public func openedForReading(_ backing: UInt64) {
        state.withLock {
            $0.readers[backing, default: 0] += 1
            $0.unused.remove(backing)
            $0.changed?.insert(backing)
        }
    }

    public func closedForReading(_ backing: UInt64) {
        state.withLock { State.end(backing, of: &$0.readers) }
    }

    func isRead(_ backing: UInt64) -> Bool { state.withLock { $0.readers[backing] != nil } }

    /// A change of the bytes without an open.
    public func touched(_ backing: UInt64) {
        state.withLock {
            $0.touched.insert(backing)
            $0.changed?.insert(backing)
        }
    }

    /// Anything but bytes of a file or directory was changed: the names in it, or its attributes.
    public func changed(_ backing: UInt64) {
        state.withLock {
            $0.unused.remove(backing)
            $0.changed?.insert(backing)
        }
    }

    /// Asks whether anybody has a file open or mapped, and remembers that nobody has until it is opened.
    ///
    /// - Parameter hasUser: asks the kernel.
    func probeUse<Failure>(
        of backing: UInt64, _ hasUser: () throws(Failure) -> Bool
    ) throws(Failure) -> Bool {
        // First: who opens it while the kernel is asked takes it out again. Who is about to write to it may not have it
        // open as far as the kernel is concerned.
        state.withLock { state in
            if state.writers[backing] == nil, state.readers[backing] == nil { state.unused.insert(backing) }
        }
        var isUsed = true
        defer { if isUsed { state.withLock { _ = $0.unused.remove(backing) } } }
        isUsed = try hasUser()
        return isUsed
    }

    /// Whether surely nobody has a file open or mapped.
    func isUnused(_ backing: UInt64) -> Bool {
        state.withLock {
            $0.unused.contains(backing) && $0.writers[backing] == nil && $0.readers[backing] == nil
        }
    }

    /// Forgets what ``probeUse(of:_:)`` has found: the files are sealed ones now.
    func forgetUnused() { state.withLock { $0.unused.removeAll() } }

    public func isOpen(_ backing: UInt64) -> Bool {
        state.withLock { $0.writers[backing] != nil }
    }

    /// All files that are open for writing.
    var writers: Set<UInt64> { state.withLock { Set($0.writers.keys) } }

    public var openCount: Int { state.withLock { $0.writers.count } }

    /// Returns what was touched so far and forgets it, but for files that are open now.
    func takeMark() -> Set<UInt64> {
        state.withLock {
            let touched = $0.touched
            $0.touched = Set($0.writers.keys)
            return touched
        }
    }

    /// Forgets that a file was touched, unless somebody has it open for writing.
    ///
    /// - Returns: whether that was done. While a seal is prepared it is not: the seal goes by it.
    func takeMark(of backing: UInt64) -> Bool {
        state.withLock {
            if $0.writers[backing] != nil || $0.changed != nil { return false }
            $0.touched.remove(backing)
            return true
        }
    }

    func wasTouched(_ backing: UInt64) -> Bool {
        state.withLock { $0.touched.contains(backing) }
    }

    // MARK: While a seal is prepared

    /// Whether one of these was opened or changed since ``watch()``.
    func wasChanged(_ backings: UInt64...) -> Bool {
        state.withLock { state in backings.contains { state.changed?.contains($0) == true } }
    }

    /// Notes what is opened or changed from now on.
    func watch() {
        state.withLock { $0.changed = [] }
    }

    /// Returns what was noted, and notes no more.
    func endWatch() -> Set<UInt64> {
        state.withLock { state in
            defer { state.changed = nil }
            return state.changed ?? []
        }
    }

    /// The file is about to get a name in `objects/`.
    func linking(_ backing: UInt64) {
        state.withLock { _ = $0.linked.insert(backing) }
    }

    /// That name is gone again.
    func unlinked(_ backing: UInt64) {
        state.withLock { _ = $0.linked.remove(backing) }
    }

    /// Those names are gone, or are all that is left of the files.
    func endLinking() {
        state.withLock { $0.linked.removeAll() }
    }

    /// How many links a file has that `stat` says has `count`.
    public func linkCount(_ count: UInt64, of backing: UInt64) -> UInt64 {
        if count < 2 { return count }
        return state.withLock { $0.linked.contains(backing) } ? count - 1 : count
    }
}
