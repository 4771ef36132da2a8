internal import Objects
internal import Store
internal import SystemPackage

/// One line of a ``MountRecord``.
///
///     0   length of the line, a multiple of 8 (UInt32)
///     4   what it is (UInt16)
///     6   length of the first name (UInt16), of the second (UInt16)
///     16  four numbers (UInt64)
///     48  the names, one after the other
enum RecordedChange: Hashable, Sendable {
    /// The node has this name, perhaps beside others.
    case named(NodeID, inode: UInt64, parent: NodeID, FileName)
    /// The kernel knows a node that has no name.
    case nameless(NodeID, inode: UInt64)
    case unnamed(parent: NodeID, FileName)
    /// A rename is about to happen; ``moved`` or ``exchanged`` says that it has.
    case moving(RecordedMove)
    case moved(RecordedMove)
    case exchanged(RecordedMove)
    /// The kernel has forgotten the node.
    case dropped(NodeID)
    /// With the kernel's number for the file it reads and writes itself, or 0, and the request that opened it.
    case opened(HandleID, NodeID, OpenMode, backing: Int32, request: UInt64)
    case closed(HandleID)
    /// A request to `.firn/commit` is about to seal this generation of staging, or a later one.
    case committing(request: UInt64, generation: UInt64)
    /// Something other than the mount begins to change names of staging, or has ended and the kernel knows of it.
    case replacing(Bool)
    /// The kernel has a file registered under this number though nothing is open on it.
    case registered(backing: Int32)
    /// It has it no longer.
    case released(backing: Int32)

    private enum Kind: UInt16 {
        case named = 1
        case nameless, unnamed, moving, moved, exchanged, dropped, opened, closed, committing, replacing
        case registered, released
    }

    private static let headerByteCount = 48
    static let byteCountMax = headerByteCount + 2 * 256

    // MARK: Writing

    /// - Returns: how many bytes of `buffer`, which has room for ``byteCountMax``, it took.
    func write(to buffer: UnsafeMutableRawBufferPointer) -> Int {
        switch self {
        case .named(let node, let inode, let parent, let name):
            RecordedChange.write(.named, (node.value, inode, parent.value, 0), name, nil, to: buffer)
        case .nameless(let node, let inode):
            RecordedChange.write(.nameless, (node.value, inode, 0, 0), nil, nil, to: buffer)
        case .unnamed(let parent, let name):
            RecordedChange.write(.unnamed, (parent.value, 0, 0, 0), name, nil, to: buffer)
        case .moving(let move): RecordedChange.write(.moving, move, to: buffer)
        case .moved(let move): RecordedChange.write(.moved, move, to: buffer)
        case .exchanged(let move): RecordedChange.write(.exchanged, move, to: buffer)
        case .dropped(let node):
            RecordedChange.write(.dropped, (node.value, 0, 0, 0), nil, nil, to: buffer)
        case .opened(let handle, let node, let mode, let backing, let request):
            RecordedChange.write(
                .opened,
                (handle.value, node.value, mode.bits | UInt64(UInt32(bitPattern: backing)) << 32, request),
                nil, nil, to: buffer)
        case .closed(let handle):
            RecordedChange.write(.closed, (handle.value, 0, 0, 0), nil, nil, to: buffer)
        case .committing(let request, let generation):
            RecordedChange.write(.committing, (request, generation, 0, 0), nil, nil, to: buffer)
        case .replacing(let isReplacing):
            RecordedChange.write(.replacing, (isReplacing ? 1 : 0, 0, 0, 0), nil, nil, to: buffer)
        case .registered(let backing):
            RecordedChange.write(.registered, (UInt64(backing), 0, 0, 0), nil, nil, to: buffer)
        case .released(let backing):
            RecordedChange.write(.released, (UInt64(backing), 0, 0, 0), nil, nil, to: buffer)
        }
    }

    private static func write(
        _ kind: Kind, _ move: RecordedMove, to buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        write(
            kind, (move.parent.value, move.newParent.value, move.inode, move.request), move.name,
            move.newName,
            to: buffer)
    }

    private static func write(
        _ kind: Kind, _ numbers: (UInt64, UInt64, UInt64, UInt64), _ first: FileName?, _ second: FileName?,
        to buffer: UnsafeMutableRawBufferPointer
    ) -> Int {
        let names = (first?.bytes ?? [], second?.bytes ?? [])
        let length = (headerByteCount + names.0.count + names.1.count + 7) & ~7
        buffer.storeBytes(of: UInt32(length), toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: kind.rawValue, toByteOffset: 4, as: UInt16.self)
        buffer.storeBytes(of: UInt16(names.0.count), toByteOffset: 6, as: UInt16.self)
        buffer.storeBytes(of: UInt16(names.1.count), toByteOffset: 8, as: UInt16.self)
        buffer.storeBytes(of: numbers, toByteOffset: 16, as: (UInt64, UInt64, UInt64, UInt64).self)
        let place = UnsafeMutableRawBufferPointer(rebasing: buffer[headerByteCount...])
        place.copyBytes(from: names.0)
        UnsafeMutableRawBufferPointer(rebasing: place[names.0.count...]).copyBytes(from: names.1)
        return length
    }

    // MARK: Reading

    /// Reads the line at the start of `bytes`.
    ///
    /// - Throws: `.invalidArgument` for what is none.
    static func read(_ bytes: UnsafeRawBufferPointer) throws(Errno) -> (RecordedChange, length: Int) {
        guard bytes.count >= headerByteCount else { throw .invalidArgument }
        let length = Int(bytes.load(as: UInt32.self))
        let first = Int(bytes.load(fromByteOffset: 6, as: UInt16.self))
        let second = Int(bytes.load(fromByteOffset: 8, as: UInt16.self))
        guard let kind = Kind(rawValue: bytes.load(fromByteOffset: 4, as: UInt16.self)),
            length <= bytes.count, length == (headerByteCount + first + second + 7) & ~7
        else { throw .invalidArgument }
        let name = { (start: Int, count: Int) in
            FileName(unchecked: Array(bytes[headerByteCount + start..<headerByteCount + start + count]))
        }
        let numbers = bytes.load(fromByteOffset: 16, as: (UInt64, UInt64, UInt64, UInt64).self)
        return (
            RecordedChange(kind, numbers, name(0, first), name(first, second)), length
        )
    }

    private init(
        _ kind: Kind, _ numbers: (UInt64, UInt64, UInt64, UInt64), _ name: FileName, _ newName: FileName
    ) {
        let (a, b, c, d) = numbers
        let move = RecordedMove(
            parent: NodeID(a), name: name, newParent: NodeID(b), newName: newName, inode: c, request: d)
        self =
            switch kind {
            case .named: .named(NodeID(a), inode: b, parent: NodeID(c), name)
            case .nameless: .nameless(NodeID(a), inode: b)
            case .unnamed: .unnamed(parent: NodeID(a), name)
            case .moving: .moving(move)
            case .moved: .moved(move)
            case .exchanged: .exchanged(move)
            case .dropped: .dropped(NodeID(a))
            case .opened:
                .opened(
                    HandleID(a), NodeID(b), OpenMode(bits: c),
                    backing: Int32(bitPattern: UInt32(truncatingIfNeeded: c >> 32)), request: d)
            case .closed: .closed(HandleID(a))
            case .committing: .committing(request: a, generation: b)
            case .replacing: .replacing(a != 0)
            case .registered: .registered(backing: Int32(truncatingIfNeeded: a))
            case .released: .released(backing: Int32(truncatingIfNeeded: a))
            }
    }
}

/// A rename by the numbers of its directories.
struct RecordedMove: Hashable, Sendable {
    let parent: NodeID
    let name: FileName
    let newParent: NodeID
    let newName: FileName
    /// Of what is moved.
    let inode: UInt64
    /// The number of the request.
    let request: UInt64
}

extension OpenMode {
    fileprivate var bits: UInt64 {
        (reads ? 1 : 0) | (writes ? 2 : 0) | (truncates ? 4 : 0) | (appends ? 8 : 0)
    }

    fileprivate init(bits: UInt64) {
        self.init(
            reads: bits & 1 != 0, writes: bits & 2 != 0, truncates: bits & 4 != 0, appends: bits & 8 != 0)
    }
}
