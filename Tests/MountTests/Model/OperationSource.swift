import Glibc
import Objects
import Store
import TestSupport

/// Makes up operations, mostly such as can succeed, from a seed. The same ones for the same seed and tree.
struct OperationSource {
    private var random: SeededGenerator
    /// Paths there were when last told, and some that are made up since.
    private var known: [RawPath] = []
    private var directories: [RawPath] = [.here]

    static let slotCount = 8
    private static let sizeMax = 200_000

    private static let names: [[UInt8]] =
        ["a", "b", "c", "d", "e", "f.txt", "with space", "line\nbreak"].map { Array($0.utf8) }
        + [[0xff, 0xfe, 0x80], Array(repeating: UInt8(ascii: "n"), count: 255)]
    private static let attributeNames = ["user.one", "user.two", "trusted.three"].map { RawPath($0) }

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// Tells what there is.
    mutating func see(_ snapshot: TreeSnapshot) {
        // In order, so that the seed decides alone.
        let paths = snapshot.items.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        known = paths.filter { $0 != .here }
        directories = paths.filter { snapshot.items[$0]?.kind == .directory && $0.bytes.count < 1500 }
    }

    mutating func next(open slots: [Int]) -> Operation {
        let slot = slots.isEmpty ? nil : slots[number(slots.count)]
        if let slot, number(100) < 35 { return onSlot(slot, slots) }
        return number(100) < 50 ? onNames() : onFiles()
    }

    // MARK: Kinds of operations

    private mutating func onSlot(_ slot: Int, _ slots: [Int]) -> Operation {
        switch number(14) {
        case 0, 1: .close(slot: slot)
        case 2, 3: .write(slot: slot, at: number(OperationSource.sizeMax), bytes())
        case 4: .append(slot: slot, bytes())
        case 5, 6: .read(slot: slot, at: number(OperationSource.sizeMax), count: 1 + number(70_000))
        case 7: .truncateOpen(slot: slot, size: number(OperationSource.sizeMax))
        case 8: .statOpen(slot: slot)
        case 9: .changeModeOpen(slot: slot, mode())
        case 10: .setAttributeOpen(slot: slot, attributeName(), bytes(upTo: 60))
        case 11: .sync(slot: slot)
        case 12:
            number(2) == 0
                ? allocation(slot)
                : .copy(
                    from: slots[number(slots.count)], to: slot, at: number(OperationSource.sizeMax),
                    count: number(90_000))
        default: .writeMappedOpen(slot: slot, at: number(4000), bytes(upTo: 5000))
        }
    }

    private mutating func allocation(_ slot: Int) -> Operation {
        // FALLOC_FL_KEEP_SIZE, PUNCH_HOLE with it, ZERO_RANGE; see man 2 fallocate.
        let modes: [Int32] = [0, 1, 3, 16, 17]
        return .allocate(
            slot: slot, mode: modes[number(modes.count)], at: number(OperationSource.sizeMax),
            count: 1 + number(OperationSource.sizeMax))
    }

    private mutating func onFiles() -> Operation {
        switch number(16) {
        case 0, 1, 2: .open(slot: number(OperationSource.slotCount), path(), flags: openFlags(), mode: mode())
        case 3, 4: .writeFile(path(), bytes(), flags: O_CREAT | O_TRUNC)
        case 5: .writeFile(path(), bytes(), flags: number(2) == 0 ? O_APPEND : 0)
        case 6: .writeFile(path(), bytes(), flags: O_CREAT | O_APPEND)
        case 7: .truncate(path(), size: number(OperationSource.sizeMax))
        case 8: .writeMapped(path(), at: number(4000), bytes(upTo: 5000))
        case 9: .changeMode(path(), mode())
        case 10: .changeOwner(path(), uid: uid_t(number(3) * 1000), gid: gid_t(number(3) * 1000))
        case 11, 12:
            .changeTimes(path(), Timestamp(nanoseconds: Int64(number(1_600_000_000)) * 1_000_000_007))
        case 13: .setAttribute(path(), attributeName(), bytes(upTo: 60), flags: Int32(number(3)))
        case 14: .removeAttribute(path(), attributeName())
        default: number(2) == 0 ? .readFile(path()) : .stat(path())
        }
    }

    private mutating func onNames() -> Operation {
        switch number(18) {
        case 0, 1, 2: .makeDirectory(newPath(), mode: mode())
        case 3: .makeSymlink(newPath(), target: path())
        case 4: .makeFIFO(newPath(), mode: mode())
        case 5: .readLink(path())
        case 6: .makeNameless(directories[number(directories.count)], bytes(), as: newPath())
        case 7, 8: .link(path(), newPath())
        case 9, 10, 11: .rename(path(), path(), flags: [])
        case 12: .rename(path(), newPath(), flags: .noReplace)
        case 13: .rename(path(), path(), flags: .exchange)
        case 14: .unlink(path())
        case 15: number(2) == 0 ? .unlink(path()) : .removeDirectory(path())
        case 16: .removeDirectory(path())
        default: .list(path())
        }
    }

    // MARK: What they are about

    mutating func number(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }

    private mutating func path() -> RawPath {
        known.isEmpty || number(100) < 15 ? newPath() : known[number(known.count)]
    }

    /// Mostly one that is not there; remembered, since it may be from now on.
    private mutating func newPath() -> RawPath {
        let name = OperationSource.names[number(OperationSource.names.count)]
        let path = directories[number(directories.count)].appending(FileName(unchecked: name))
        known.append(path)
        return path
    }

    private mutating func openFlags() -> Int32 {
        let access = [O_RDONLY, O_RDWR, O_RDWR, O_WRONLY][number(4)]
        let more = [0, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_APPEND, O_CREAT | O_APPEND][number(6)]
        return access | more
    }

    private mutating func mode() -> mode_t {
        [0o644, 0o600, 0o755, 0o777, 0o400, 0o4755, 0o2775, 0o1777][number(8)]
    }

    private mutating func attributeName() -> RawPath {
        OperationSource.attributeNames[number(OperationSource.attributeNames.count)]
    }

    private mutating func bytes(upTo limit: Int = 30_000) -> [UInt8] {
        let letter = UInt8(ascii: "A") + UInt8(number(26))
        let count = number(4) == 0 ? number(limit) : number(min(limit, 100))
        return (0..<count).map { letter &+ UInt8(truncatingIfNeeded: $0 / 61 % 7) }
    }
}
