import Foundation
import Glibc
import Objects
import Store
import SystemPackage

/// The files below one directory, in memory.
struct DiskModel {
    struct File {
        var mode: UInt32
        var device: UInt64 = 0
        var target = ""
        var owner: (uid: UInt32, gid: UInt32)?
        /// nil where it was never set to a given time.
        var mtime: (seconds: Int64, nanoseconds: Int64)?
        var bytes = Data()
        var attributes: [String: Range<Int>] = [:]
        var names: [String: Int] = [:]
    }

    let record: DiskRecord
    private(set) var files: [Int: File] = [DiskRecord.top: File(mode: S_IFDIR | 0o700)]

    /// How a write that was not synced came to the disk.
    enum Tear {
        case whole
        /// Each unit of so many bytes by itself, as `arrives` says; a file that became longer holds `filler`, what
        /// was on the disk before, where none arrived.
        case torn(unit: Int, arrives: (Int) -> Bool, filler: UInt8)
    }

    init(_ record: DiskRecord) { self.record = record }

    mutating func apply(_ change: DiskRecord.Change, _ tear: Tear = .whole) {
        switch change {
        case .make(let file, let mode, let device, let target):
            files[file] = File(mode: mode, device: device, target: target)
        case .name(let name, let file): set(name, file)
        case .remove(let name): set(name, nil)
        case .rename(let old, let new, let file, let whiteout):
            set(old, whiteout)
            set(new, file)
        case .exchange(let one, let two, let file, let other):
            set(one, other)
            set(two, file)
        case .write(let file, let offset, let range): write(file, offset, range, tear)
        case .resize(let file, let size): resize(file, to: size)
        case .zero(let file, let offset, let count):
            let end = min(offset + count, files[file]?.bytes.count ?? 0)
            fill(file, offset, end, with: 0)
        case .mode(let file, let mode):
            let type = (files[file]?.mode ?? 0) & S_IFMT
            files[file]?.mode = type | mode & 0o7777
        case .owner(let file, let uid, let gid):
            let before = files[file]?.owner ?? (geteuid(), getegid())
            files[file]?.owner = (uid == .max ? before.uid : uid, gid == .max ? before.gid : gid)
        case .times(let file, let seconds, let nanoseconds): files[file]?.mtime = (seconds, nanoseconds)
        case .setAttribute(let file, let name, let value): files[file]?.attributes[name] = value
        case .removeAttribute(let file, let name): files[file]?.attributes[name] = nil
        case .sync, .syncAll, .mark: break
        }
    }

    private mutating func set(_ name: DiskRecord.Name, _ file: Int?) {
        files[name.directory]?.names[name.text] = file
    }

    private mutating func resize(_ file: Int, to size: Int) { files[file]?.bytes.count = size }

    private mutating func write(_ file: Int, _ offset: Int, _ source: Range<Int>, _ tear: Tear) {
        guard let before = files[file]?.bytes.count else { return }
        files[file]?.mtime = nil
        let end = offset + source.count
        if end > before { resize(file, to: end) }
        guard case .torn(let unit, let arrives, let filler) = tear else {
            return copy(source, to: file, offset)
        }
        var start = offset
        while start < end {
            let next = min((start / unit + 1) * unit, end)
            if arrives(start / unit) {
                let from = source.lowerBound + start - offset
                copy(from..<from + next - start, to: file, start)
            } else {
                fill(file, max(start, before), next, with: filler)
            }
            start = next
        }
    }

    // By memcpy and memset: collections one element at a time are slow in a debug build.

    private mutating func copy(_ source: Range<Int>, to file: Int, _ offset: Int) {
        files[file]?.bytes.withUnsafeMutableBytes { target in
            record.bytes.withUnsafeBytes { bytes in
                UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + source.count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[source]))
            }
        }
    }

    private mutating func fill(_ file: Int, _ start: Int, _ end: Int, with byte: UInt8) {
        guard start < end else { return }
        files[file]?.bytes.withUnsafeMutableBytes { target in
            guard let base = target.baseAddress else { return }
            memset(base + start, Int32(byte), end - start)
        }
    }

    // MARK: On a real disk

    /// SQLite's index of its log lies in shared memory, is not recorded and is made anew after a crash.
    static func isLeftOut(_ name: String) -> Bool { name.hasSuffix("-shm") }

    /// Makes everything below the top in the directory `path`, which is empty.
    func materialize(at path: String) throws {
        let directory = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        var made: [Int: RawPath] = [:]
        try makeNames(of: DiskRecord.top, at: .here, in: directory.fd, &made)
    }

    private func makeNames(of parent: Int, at path: RawPath, in top: Int32, _ made: inout [Int: RawPath])
        throws
    {
        for (name, number) in files[parent]?.names ?? [:] where !DiskModel.isLeftOut(name) {
            guard let file = files[number] else { continue }
            let place = path.appending(FileName(unchecked: Array(name.utf8)))
            if let first = made[number], file.mode & S_IFMT != S_IFDIR {
                try Syscall.link(at: top, first, to: top, place)
                continue
            }
            made[number] = place
            try make(file, at: place, in: top)
            if file.mode & S_IFMT == S_IFDIR { try makeNames(of: number, at: place, in: top, &made) }
            try dress(file, at: place, in: top)
        }
    }

    private func make(_ file: File, at place: RawPath, in top: Int32) throws {
        switch file.mode & S_IFMT {
        case S_IFDIR: try Syscall.makeDirectory(at: top, place, mode: 0o700)
        case S_IFLNK: try Syscall.makeSymlink(at: top, place, target: RawPath(file.target))
        case S_IFREG:
            let made = try Syscall.open(at: top, place, O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
            _ = try file.bytes.withUnsafeBytes { try Syscall.write(made.fd, $0, at: 0) }
        default:
            try Syscall.makeNode(at: top, place, mode: file.mode & S_IFMT | 0o600, device: dev_t(file.device))
        }
    }

    private func dress(_ file: File, at place: RawPath, in top: Int32) throws {
        if let owner = file.owner { try Syscall.changeOwner(at: top, place, uid: owner.uid, gid: owner.gid) }
        let path = RawPath(Array("/proc/self/fd/\(top)/".utf8) + place.bytes)
        for (name, value) in file.attributes {
            try Syscall.setAttribute(path, RawPath(name), Array(record.bytes[value]))
        }
        if file.mode & S_IFMT != S_IFLNK { try Syscall.changeMode(at: top, place, file.mode & 0o7777) }
        if let (seconds, nanoseconds) = file.mtime {
            let time = Timestamp(seconds: seconds, nanoseconds: nanoseconds)
            try Syscall.changeTimes(at: top, place, access: nil, modification: .at(time))
        }
    }
}
