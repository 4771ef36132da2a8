import Foundation
import TestSupport

/// What a process did to the files below one directory, in order: see `CRecorder.h`.
struct DiskRecord {
    /// A name in a directory.
    struct Name: Hashable {
        /// The directory's file number.
        let directory: Int
        let text: String
    }

    /// One change of the disk. Files have numbers of their own, since the kernel gives an inode number to another
    /// file when one is gone.
    enum Change {
        /// A file without names, which those that follow give it.
        case make(file: Int, mode: UInt32, device: UInt64, target: String)
        case name(Name, file: Int)
        case remove(Name)
        /// - Parameter whiteout: the file that takes the old name.
        case rename(Name, to: Name, file: Int, whiteout: Int?)
        case exchange(Name, Name, file: Int, other: Int)
        case write(file: Int, offset: Int, bytes: Range<Int>)
        case resize(file: Int, size: Int)
        case zero(file: Int, offset: Int, count: Int)
        case mode(file: Int, UInt32)
        case owner(file: Int, uid: UInt32, gid: UInt32)
        case times(file: Int, seconds: Int64, nanoseconds: Int64)
        case setAttribute(file: Int, String, value: Range<Int>)
        case removeAttribute(file: Int, String)
        case sync(file: Int, dataOnly: Bool)
        case syncAll
        /// Nothing; what is expected is another from here on.
        case mark
    }

    struct Step {
        let change: Change
        /// Index of what is expected from here on.
        let expectation: Int
    }

    /// The log's bytes; ranges of changes are ranges of it.
    let bytes: Data
    private(set) var steps: [Step] = []
    private(set) var expectations = [Expectation()]
    /// The directory that was recorded.
    static let top = 0

    struct Malformed: Error {
        let offset: Int
    }

    init(_ bytes: Data) throws {
        self.bytes = bytes
        var reader = Reader(bytes: bytes)
        var files: [UInt64: Int] = [:]
        var names: [Name: Int] = [:]
        var count = 1
        while !reader.isAtEnd {
            let start = reader.offset
            let entry = try reader.next()
            let (n, first, second) = (entry.numbers, entry.first, entry.second)
            func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
            func file(_ inode: UInt64) throws -> Int {
                guard let file = files[inode] else { throw Malformed(offset: start) }
                return file
            }
            func name(_ directory: UInt64, _ range: Range<Int>) throws -> Name {
                Name(directory: try file(directory), text: text(range))
            }
            func make(_ inode: UInt64, mode: UInt32, device: UInt64 = 0, target: String = "") -> Int {
                files[inode] = count
                count += 1
                add(.make(file: count - 1, mode: mode, device: device, target: target))
                return count - 1
            }
            switch entry.kind {
            case .mark:
                expectations.append(try Expectation(decoding: Array(bytes[first])))
                add(.mark)
            case .top: files[n[0]] = DiskRecord.top
            case .create:
                let new = make(n[1], mode: UInt32(n[2]), device: n[3], target: text(second))
                guard n[0] != 0 else { break }
                let name = try name(n[0], first)
                names[name] = new
                add(.name(name, file: new))
            case .link:
                let name = try name(n[0], first)
                names[name] = try file(n[1])
                add(.name(name, file: try file(n[1])))
            case .unlink:
                let name = try name(n[0], first)
                names[name] = nil
                add(.remove(name))
            case .rename:
                let (old, new) = (try name(n[0], first), try name(n[1], second))
                guard let moved = names[old] else { throw Malformed(offset: start) }
                if n[2] & 2 != 0 {
                    guard let other = names[new] else { throw Malformed(offset: start) }
                    (names[old], names[new]) = (other, moved)
                    add(.exchange(old, new, file: moved, other: other))
                } else {
                    let whiteout = n[2] & 4 != 0 ? make(n[3], mode: S_IFCHR) : nil
                    (names[old], names[new]) = (whiteout, moved)
                    add(.rename(old, to: new, file: moved, whiteout: whiteout))
                }
            case .write: add(.write(file: try file(n[0]), offset: Int(n[1]), bytes: first))
            case .truncate: add(.resize(file: try file(n[0]), size: Int(n[1])))
            case .zero: add(.zero(file: try file(n[0]), offset: Int(n[1]), count: Int(n[2])))
            case .mode: add(.mode(file: try file(n[0]), UInt32(n[1])))
            case .owner:
                add(
                    .owner(
                        file: try file(n[0]), uid: UInt32(truncatingIfNeeded: n[1]),
                        gid: UInt32(truncatingIfNeeded: n[2])))
            case .times:
                add(
                    .times(
                        file: try file(n[0]), seconds: Int64(bitPattern: n[1]),
                        nanoseconds: Int64(bitPattern: n[2])))
            case .setAttribute: add(.setAttribute(file: try file(n[0]), text(first), value: second))
            case .removeAttribute: add(.removeAttribute(file: try file(n[0]), text(first)))
            case .sync: add(.sync(file: try file(n[0]), dataOnly: n[1] != 0))
            case .syncAll: add(.syncAll)
            }
        }
    }

    private mutating func add(_ change: Change) {
        steps.append(Step(change: change, expectation: expectations.count - 1))
    }

    /// Index of what must be true after the first `count` steps.
    func expectation(after count: Int) -> Int { count == 0 ? 0 : steps[count - 1].expectation }
}

extension DiskRecord {
    /// As `enum firn_record` numbers them.
    fileprivate enum Kind: UInt8 {
        case mark = 1
        case create, link, unlink, rename, write, truncate, zero, mode, owner, times, setAttribute
        case removeAttribute, sync, syncAll, top
    }

    fileprivate struct Entry {
        let kind: Kind
        let numbers: [UInt64]
        let first: Range<Int>
        let second: Range<Int>
    }

    fileprivate struct Reader {
        let bytes: Data
        var offset = 0

        init(bytes: Data) { self.bytes = bytes }

        var isAtEnd: Bool { offset >= bytes.count }

        private mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
            _ type: Number.Type
        ) throws -> Number {
            let count = MemoryLayout<Number>.size
            guard offset + count <= bytes.count else { throw Malformed(offset: offset) }
            defer { offset += count }
            return bytes.withUnsafeBytes {
                Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type))
            }
        }

        private mutating func string() throws -> Range<Int> {
            let count = Int(try number(UInt32.self))
            guard offset + count <= bytes.count else { throw Malformed(offset: offset) }
            defer { offset += count }
            return offset..<offset + count
        }

        mutating func next() throws -> Entry {
            let start = offset
            let count = Int(try number(UInt32.self))
            guard let kind = Kind(rawValue: try number(UInt8.self)) else { throw Malformed(offset: start) }
            let numbers = try (0..<5).map { _ in try number(UInt64.self) }
            let entry = Entry(kind: kind, numbers: numbers, first: try string(), second: try string())
            guard offset == start + 4 + count else { throw Malformed(offset: start) }
            return entry
        }
    }
}
