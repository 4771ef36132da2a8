internal import Objects
public import Store
public import SystemPackage

/// What the kernel knows of a mount by number, noted in memory that outlives the daemon: which node stands at which
/// name, and which handle is open on which node. The next daemon behind the same mount reads it and goes on.
///
/// A log of changes in the order in which they were made, each published whole or not at all, so that a daemon may
/// be killed at any instruction. When most of it is out of date it is written anew beside itself.
///
/// Its own lock is a leaf. Layout of the memory, in bytes:
///
///     0     a magic number
///     8     which of the two areas holds the log, 0 or 1
///     16    the length of the log in area 0
///     24    the same of area 1
///     32    1 when a log outgrew its area, which ends all recording
///     40    the number the next node is to have
///     48    the number the next handle is to have
///     4096  what the connection began with, see `FUSE`
///     1 MiB area 0, then area 1
public final class MountRecord: Sendable {
    private let memory: SharedMemory
    private let state: Lock<State>

    private struct State {
        var area: Int
        var length: Int
        /// The length at which the log is written anew.
        var limit: Int
        var isRewriting = false
    }

    private enum Offset {
        static let magic = 0
        static let area = 8
        static let lengths = [16, 24]
        static let isFull = 32
        static let nextNode = 40
        static let nextHandle = 48
        static let opening = 4096
        static let areas = 1 << 20
    }

    private static let magic: UInt64 = 0x4669_726e_5265_6331
    /// Of one log: some forty million names.
    private static let areaByteCount = 4 << 30
    public static let byteCount = Offset.areas + 2 * areaByteCount
    /// Bytes below which writing the log anew is not worth it.
    private static let limitMin = 16 << 20

    /// Takes up the record in `memory`, or begins one where it is all zeros.
    ///
    /// - Throws: `.invalidArgument` for memory that holds something else.
    public init(in memory: SharedMemory) throws(Errno) {
        guard memory.bytes.count == MountRecord.byteCount else { throw .invalidArgument }
        let load = { (offset: Int) in memory.bytes.load(fromByteOffset: offset, as: UInt64.self) }
        if load(Offset.magic) == 0 {
            memory.publish(1, at: Offset.nextHandle)
            memory.publish(MountRecord.magic, at: Offset.magic)
        }
        let area = load(Offset.area)
        guard load(Offset.magic) == MountRecord.magic, area < 2 else { throw .invalidArgument }
        let length = load(Offset.lengths[Int(area)])
        guard length <= UInt64(MountRecord.areaByteCount), load(Offset.isFull) == 0 else {
            throw .invalidArgument
        }
        self.memory = memory
        state = Lock(
            State(
                area: Int(area), length: Int(length),
                limit: max(MountRecord.limitMin, 3 * Int(length))))
    }

    /// Where the connection's first request is kept, its length first; 0 where the kernel cannot send requests
    /// again.
    public var opening: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[Offset.opening..<Offset.opening + 4096])
    }

    /// Whether a connection has begun whose kernel can send requests again.
    public var canResume: Bool { opening.load(as: UInt64.self) > 0 }

    /// Of the log as it is now.
    var logByteCount: Int { state.withLock { $0.length } }

    // MARK: Noting

    func append(_ change: RecordedChange) {
        let rewrites = state.withLock { state in
            guard let length = write(change, at: state.length, in: state.area) else {
                memory.publish(1, at: Offset.isFull)
                return false
            }
            reserve(change)
            state.length += length
            memory.publish(UInt64(state.length), at: Offset.lengths[state.area])
            guard state.length > state.limit, !state.isRewriting else { return false }
            state.isRewriting = true
            return true
        }
        if rewrites { startDetachedThread { [self] in rewrite() } }
    }

    /// Keeps the numbers that are given away from being given again.
    private func reserve(_ change: RecordedChange) {
        let (offset, number): (Int, UInt64)
        switch change {
        case .named(let node, _, _, _), .nameless(let node, _):
            (offset, number) = (Offset.nextNode, node.value)
        case .opened(let handle, _, _, _, _):
            (offset, number) = (Offset.nextHandle, handle.value)
        default: return
        }
        if number >= memory.bytes.load(fromByteOffset: offset, as: UInt64.self) {
            memory.publish(number + 1, at: offset)
        }
    }

    /// - Returns: how many bytes it took; nil where there was no room.
    private func write(_ change: RecordedChange, at offset: Int, in area: Int) -> Int? {
        let room = MountRecord.areaByteCount - offset
        guard room > RecordedChange.byteCountMax else { return nil }
        let start = Offset.areas + area * MountRecord.areaByteCount + offset
        return change.write(to: UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<start + room]))
    }

    private func log(_ area: Int, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        let start = Offset.areas + area * MountRecord.areaByteCount
        return UnsafeRawBufferPointer(
            rebasing: memory.bytes[start + range.lowerBound..<start + range.upperBound])
    }

    /// Writes what still holds to the other area, and what was noted meanwhile after it.
    private func rewrite() {
        let (area, length) = state.withLock { ($0.area, $0.length) }
        // Its own writing, so it can be read; a log that cannot is left as it is and grows on.
        guard let known = try? RecordedMount(reading: log(area, 0..<length)) else { return }
        let other = 1 - area
        var written = 0
        for change in known.changes {
            guard let count = write(change, at: written, in: other) else { return }
            written += count
        }
        state.withLock { state in
            let rest = log(area, length..<state.length)
            guard written + rest.count < MountRecord.areaByteCount else { return }
            let start = Offset.areas + other * MountRecord.areaByteCount + written
            UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start..<start + rest.count]).copyMemory(
                from: rest)
            state.area = other
            state.length = written + rest.count
            state.limit = max(MountRecord.limitMin, 3 * written)
            state.isRewriting = false
            memory.publish(UInt64(state.length), at: Offset.lengths[other])
            memory.publish(UInt64(other), at: Offset.area)
            memory.publish(0, at: Offset.lengths[area])
        }
        let start = Offset.areas + area * MountRecord.areaByteCount
        memory.discard(start..<start + MountRecord.areaByteCount)
    }

    // MARK: Going on

    /// Everything that was noted.
    ///
    /// - Throws: `.invalidArgument` for a log that makes no sense.
    func recorded() throws(Errno) -> RecordedMount {
        let (area, length) = state.withLock { ($0.area, $0.length) }
        var known = try RecordedMount(reading: log(area, 0..<length))
        known.nextNode = memory.bytes.load(fromByteOffset: Offset.nextNode, as: UInt64.self)
        known.nextHandle = memory.bytes.load(fromByteOffset: Offset.nextHandle, as: UInt64.self)
        return known
    }
}
