import Glibc
import Objects
import Store

/// One thing a program may do to a tree. Paths are relative to its top; slots are numbers of open files.
enum Operation {
    case open(slot: Int, RawPath, flags: Int32, mode: mode_t)
    case close(slot: Int)
    case write(slot: Int, at: Int, [UInt8])
    case append(slot: Int, [UInt8])
    case read(slot: Int, at: Int, count: Int)
    case truncateOpen(slot: Int, size: Int)
    case statOpen(slot: Int)
    case changeModeOpen(slot: Int, mode_t)
    case setAttributeOpen(slot: Int, RawPath, [UInt8])
    case sync(slot: Int)
    case allocate(slot: Int, mode: Int32, at: Int, count: Int)
    case copy(from: Int, to: Int, at: Int, count: Int)
    /// Writes through a shared mapping, and reads what that gives back.
    case writeMappedOpen(slot: Int, at: Int, [UInt8])

    case stat(RawPath)
    case readFile(RawPath)
    case readLink(RawPath)
    case list(RawPath)
    case writeFile(RawPath, [UInt8], flags: Int32)
    case truncate(RawPath, size: Int)
    case writeMapped(RawPath, at: Int, [UInt8])
    case changeMode(RawPath, mode_t)
    case changeOwner(RawPath, uid: uid_t, gid: gid_t)
    case changeTimes(RawPath, Timestamp)
    case setAttribute(RawPath, RawPath, [UInt8], flags: Int32)
    case removeAttribute(RawPath, RawPath)

    case makeDirectory(RawPath, mode: mode_t)
    case makeSymlink(RawPath, target: RawPath)
    case makeFIFO(RawPath, mode: mode_t)
    /// `O_TMPFILE`, written to and then given a name.
    case makeNameless(RawPath, [UInt8], as: RawPath)
    case link(RawPath, RawPath)
    case rename(RawPath, RawPath, flags: Syscall.RenameFlags)
    case unlink(RawPath)
    case removeDirectory(RawPath)

    /// The paths whose attributes must agree afterwards.
    var paths: [RawPath] {
        switch self {
        case .open(_, let path, _, _), .stat(let path), .readFile(let path), .readLink(let path),
            .list(let path), .writeFile(let path, _, _), .truncate(let path, _), .writeMapped(let path, _, _),
            .changeMode(let path, _), .changeOwner(let path, _, _), .changeTimes(let path, _),
            .setAttribute(let path, _, _, _), .removeAttribute(let path, _), .makeDirectory(let path, _),
            .makeSymlink(let path, _), .makeFIFO(let path, _), .unlink(let path), .removeDirectory(let path):
            [path]
        case .makeNameless(_, _, let path): [path]
        case .link(let one, let two), .rename(let one, let two, _): [one, two]
        default: []
        }
    }
}

/// What became of an operation, as far as two trees must agree on it.
struct Outcome: Equatable, CustomStringConvertible {
    var error: Int32 = 0
    var numbers: [Int64] = []
    var bytes: [UInt8] = []

    var description: String {
        if error != 0 { return String(cString: strerror(error)) }
        return "\(numbers) \(String(decoding: bytes.prefix(60), as: UTF8.self))"
    }
}
