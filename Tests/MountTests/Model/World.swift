import Glibc
import Objects
import Store
import SystemPackage
import TestSupport

/// A directory tree that operations are performed on, with its open files.
final class World {
    let path: String
    /// Modification times from then on count as "now".
    let start: Timestamp
    private var top: Descriptor
    private(set) var files: [Int: OpenFile] = [:]

    struct OpenFile {
        let descriptor: Descriptor
        let flags: Int32

        var isWritable: Bool { flags & O_ACCMODE != O_RDONLY }
    }

    init(_ path: String, start: Timestamp) throws {
        self.path = path
        self.start = start
        top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
    }

    /// After a remount.
    func reopen() throws { top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY) }

    func snapshot() throws -> TreeSnapshot { try TreeSnapshot.read(path, since: start) }

    /// Lets go of everything, so that it can be unmounted.
    func closeAll() throws {
        files.removeAll()
        top = try Syscall.open(at: AT_FDCWD, RawPath("/"), O_RDONLY | O_DIRECTORY)
    }

    func closeFiles(where isToClose: (OpenFile) throws -> Bool) rethrows -> [Int] {
        let slots = try files.filter { try isToClose($0.value) }.map(\.key)
        for slot in slots { files[slot] = nil }
        return slots
    }

    func closeFiles(_ slots: [Int]) {
        for slot in slots { files[slot] = nil }
    }

    // MARK: Performing

    func perform(_ operation: Operation) -> Outcome {
        do throws(Errno) { return try performed(operation) } catch { return Outcome(error: error.rawValue) }
    }

    func attributes(_ path: RawPath) -> Outcome { perform(.stat(path)) }

    private func performed(_ operation: Operation) throws(Errno) -> Outcome {
        switch operation {
        case .open(let slot, let path, let flags, let mode):
            let opened = try openFile(path, flags, mode: mode)
            files[slot] = OpenFile(descriptor: opened, flags: flags)
        case .close(let slot): files[slot] = nil
        case .stat(let path): return described(try Syscall.stat(at: top.fd, path))
        case .readFile(let path):
            let file = try openFile(path, O_RDONLY)
            return try read(file, at: 0, count: 1 << 20)
        case .readLink(let path): return Outcome(bytes: try Syscall.readSymlink(at: top.fd, path))
        case .list(let path):
            let names = try Syscall.entries(at: top.fd, path).map { $0.name.bytes + [0, $0.kind.rawValue] }
            return Outcome(bytes: Array(names.sorted { $0.lexicographicallyPrecedes($1) }.joined()))
        case .writeFile(let path, let bytes, let flags):
            let file = try openFile(path, flags | O_WRONLY, mode: 0o666)
            guard flags & O_APPEND != 0 else { return try write(file, bytes, at: 0) }
            return try append(file, bytes)
        case .truncate(let path, let size):
            try absolute(path).withCString { path throws(Errno) in _ = try check(Glibc.truncate(path, size)) }
        case .writeMapped(let path, let offset, let bytes):
            let file = try openFile(path, O_RDWR)
            let outcome = try writeMapped(file, at: offset, bytes)
            // A mapping sets the time when the system comes to it.
            try Syscall.changeTimes(file.fd, access: nil, modification: .at(Timestamp(nanoseconds: 1)))
            return outcome
        default: return try performedOnSlot(operation)
        }
        return Outcome()
    }

    private func performedOnSlot(_ operation: Operation) throws(Errno) -> Outcome {
        switch operation {
        case .write(let slot, let offset, let bytes): return try write(file(slot), bytes, at: offset)
        case .append(let slot, let bytes): return try append(file(slot), bytes)
        case .read(let slot, let offset, let count): return try read(file(slot), at: offset, count: count)
        case .truncateOpen(let slot, let size): try Syscall.truncate(try file(slot).fd, to: size)
        case .statOpen(let slot): return described(try Syscall.stat(try file(slot).fd))
        case .changeModeOpen(let slot, let mode): try Syscall.changeMode(try file(slot).fd, mode)
        case .setAttributeOpen(let slot, let name, let value):
            let open = try file(slot)
            try Syscall.setAttribute(open.fd, name, value)
            return Outcome(bytes: try Syscall.attribute(open.fd, name) ?? [])
        case .sync(let slot): try Syscall.sync(try file(slot).fd)
        case .allocate(let slot, let mode, let offset, let count):
            try Syscall.allocate(try file(slot).fd, mode: mode, offset: offset, length: count)
        case .copy(let source, let target, let offset, let count):
            let (from, to) = (try file(source), try file(target))
            return Outcome(numbers: [
                Int64(try Syscall.copyRange(from: from.fd, at: 0, to: to.fd, at: offset, count: count))
            ])
        case .writeMappedOpen(let slot, let offset, let bytes):
            let open = try file(slot)
            let outcome = try writeMapped(open, at: offset, bytes)
            try Syscall.changeTimes(open.fd, access: nil, modification: .at(Timestamp(nanoseconds: 1)))
            return outcome
        default: return try performedOnNames(operation)
        }
        return Outcome()
    }

    private func performedOnNames(_ operation: Operation) throws(Errno) -> Outcome {
        switch operation {
        case .changeMode(let path, let mode): try Syscall.changeMode(at: top.fd, path, mode)
        case .changeOwner(let path, let uid, let gid):
            try Syscall.changeOwner(at: top.fd, path, uid: uid, gid: gid)
        case .changeTimes(let path, let time):
            try Syscall.changeTimes(at: top.fd, path, access: .at(time), modification: .at(time))
        case .setAttribute(let path, let name, let value, let flags):
            try Syscall.setAttribute(absolute(path), name, value, flags: flags)
        case .removeAttribute(let path, let name): try Syscall.removeAttribute(absolute(path), name)
        case .makeDirectory(let path, let mode): try Syscall.makeDirectory(at: top.fd, path, mode: mode)
        case .makeSymlink(let path, let target): try Syscall.makeSymlink(at: top.fd, path, target: target)
        case .makeFIFO(let path, let mode):
            try Syscall.makeNode(at: top.fd, path, mode: S_IFIFO | mode, device: 0)
        case .makeNameless(let directory, let bytes, let path):
            let file = try Syscall.open(at: top.fd, directory, O_RDWR | Syscall.nameless, mode: 0o640)
            _ = try write(file, bytes, at: 0)
            try Syscall.link(file.fd, to: top.fd, path)
            return described(try Syscall.stat(file.fd))
        case .link(let one, let two): try Syscall.link(at: top.fd, one, to: top.fd, two)
        case .rename(let one, let two, let flags): try Syscall.rename(at: top.fd, one, to: top.fd, two, flags)
        case .unlink(let path): try Syscall.unlink(at: top.fd, path)
        case .removeDirectory(let path): try Syscall.removeDirectory(at: top.fd, path)
        default: preconditionFailure("performed before")
        }
        return Outcome()
    }

    // MARK: Bytes

    /// A fifo's bytes never come to the mount, nor does the time at which they were written.
    private func openFile(_ path: RawPath, _ flags: Int32, mode: mode_t = 0) throws(Errno) -> Descriptor {
        let file = try Syscall.open(at: top.fd, path, flags | O_NOFOLLOW | O_NONBLOCK, mode: mode)
        guard try Syscall.stat(file.fd).st_mode & S_IFMT != S_IFIFO else { throw .noSuchAddressOrDevice }
        return file
    }

    private func file(_ slot: Int) throws(Errno) -> Descriptor {
        guard let file = files[slot] else { throw .badFileDescriptor }
        return file.descriptor
    }

    private func absolute(_ path: RawPath) -> RawPath {
        RawPath(Array("/proc/self/fd/\(top.fd)/".utf8) + path.bytes)
    }

    private func read(_ file: Descriptor, at offset: Int, count: Int) throws(Errno) -> Outcome {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { buffer.deallocate() }
        return Outcome(bytes: Array(buffer.prefix(try Syscall.read(file.fd, into: buffer, at: offset))))
    }

    private func write(_ file: Descriptor, _ bytes: [UInt8], at offset: Int) throws(Errno) -> Outcome {
        try bytes.withRawBytes { (buffer) throws(Errno) in
            Outcome(numbers: [Int64(try Syscall.write(file.fd, buffer, at: offset))])
        }
    }

    private func append(_ file: Descriptor, _ bytes: [UInt8]) throws(Errno) -> Outcome {
        let count = bytes.withUnsafeBytes { Glibc.write(file.fd, $0.baseAddress, $0.count) }
        try check(Int32(clamping: count))
        return Outcome(numbers: [Int64(count)])
    }

    private func writeMapped(_ file: Descriptor, at offset: Int, _ bytes: [UInt8]) throws(Errno) -> Outcome {
        let size = Int(try Syscall.stat(file.fd).st_size)
        guard offset + bytes.count <= size else { return Outcome() }
        let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0)
        guard let memory, memory != MAP_FAILED else { throw Errno(rawValue: errno) }
        memory.advanced(by: offset).copyMemory(from: bytes, byteCount: bytes.count)
        defer { munmap(memory, size) }
        // Without msync: whoever reads sees it all the same.
        return try read(file, at: max(0, offset - 3), count: bytes.count + 6)
    }

    private func described(_ status: stat) -> Outcome {
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        let mtime = Timestamp(status.st_mtim)
        return Outcome(numbers: [
            Int64(status.st_mode), Int64(status.st_uid), Int64(status.st_gid),
            isDirectory ? 0 : Int64(status.st_size), isDirectory ? 1 : Int64(status.st_nlink),
            mtime >= start ? -1 : mtime.nanoseconds,
        ])
    }

    @discardableResult
    private func check(_ result: Int32) throws(Errno) -> Int32 {
        guard result >= 0 else { throw Errno(rawValue: errno) }
        return result
    }
}
