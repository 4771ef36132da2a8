import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct BytesTests {
    @Test(arguments: [false, true])
    func `a shared mapping, reads and writes are one`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", String(repeating: "x", count: 10_000))
            if isSealed { try mount.commit() }
            let file = try mount.open("staging/a", O_RDWR)
            let shared = try Mapping(file, 10_000, MAP_SHARED)
            let other = try mount.open("staging/a", O_RDONLY)
            let own = try Mapping(other, 10_000, MAP_PRIVATE)
            shared.set("abc", at: 5000)
            #expect(try other.read(5, at: 4999) == "xabcx")
            try file.write("ZZ", at: 5001)
            #expect(shared.text(4999..<5004) == "xaZZx")
            own.set("P", at: 0)
            #expect(try other.read(1) == "x")
            #expect(own.text(5000..<5003) == "aZZ")
        }
    }

    @Test
    func `what a mapping wrote is in the next version, after its file was closed`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "before")
            try mount.commit()
            var file: Descriptor? = try mount.open("staging/a", O_RDWR)
            let mapping = try file.map { try Mapping($0, 6, MAP_SHARED) }
            file = nil
            mapping?.set("A", at: 0)
            try mount.commit()
            mapping?.set("B", at: 0)
            #expect(try mount.read("versions/latest/a") == "Aefore")
            #expect(try mount.read("versions/v000001/a") == "before")
            #expect(try mount.read("staging/a") == "Before")
        }
    }

    @Test
    func `holes are made, found, sealed and shown`() throws {
        try MountedStore.with { mount in
            let file = try mount.open("staging/a", O_RDWR | O_CREAT)
            try file.write(String(repeating: "x", count: 1 << 20), at: 1 << 20)
            #expect(try Syscall.seek(file.fd, to: .data, from: 0) == 1 << 20)
            // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
            try Syscall.allocate(file.fd, mode: 3, offset: 3 << 19, length: 1 << 16)
            #expect(try Syscall.seek(file.fd, to: .hole, from: 1 << 20) == 3 << 19)
            #expect(try file.read(1, at: 3 << 19) == "\0")
            try Syscall.allocate(file.fd, mode: 0, offset: 0, length: 4 << 20)
            #expect(try file.status.st_size == 4 << 20)
            try mount.commit()
            let sealed = try mount.open("versions/latest/a", O_RDONLY)
            #expect(try sealed.status.st_size == 4 << 20)
            #expect(try Syscall.seek(sealed.fd, to: .data, from: 0) == 1 << 20)
            #expect(try sealed.status.st_blocks < 4 << 11)
        }
    }

    @Test
    func `copy_file_range copies out of a version into staging`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "0123456789")
            try mount.commit()
            let source = try mount.open("versions/latest/a", O_RDONLY)
            let target = try mount.open("staging/b", O_RDWR | O_CREAT)
            #expect(try Syscall.copyRange(from: source.fd, at: 2, to: target.fd, at: 3, count: 4) == 4)
            #expect(try target.read(20) == "\0\0\u{0}2345")
        }
    }

    @Test
    func `truncation cuts and grows sealed files by name and by descriptor`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "0123456789")
            try mount.commit()
            #expect(truncate(mount.staging + "/a", 4) == 0)
            #expect(truncate(mount.staging + "/a", 6) == 0)
            #expect(try mount.read("staging/a") == "0123\0\0")
            #expect(truncate(mount.staging + "/a", -1) == -1 && errno == EINVAL)
            #expect(truncate(mount.staging, 0) == -1 && errno == EISDIR)
        }
    }

    @Test
    func `fsync and fdatasync work on files and directories, staged and sealed`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/a", "1")
            try mount.commit()
            for path in ["staging", "staging/d", "staging/d/a", "versions/latest/d", "versions/latest/d/a"] {
                let file = try mount.open(path, O_RDONLY)
                #expect(fsync(file.fd) == 0, "\(path)")
                #expect(fdatasync(file.fd) == 0, "\(path)")
            }
        }
    }

    @Test
    func `locks of both kinds exclude others`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            let (one, two) = (try mount.open("staging/a", O_RDWR), try mount.open("staging/a", O_RDWR))
            #expect(flock(one.fd, LOCK_EX | LOCK_NB) == 0)
            #expect(flock(two.fd, LOCK_SH | LOCK_NB) == -1 && errno == EWOULDBLOCK)
            #expect(flock(one.fd, LOCK_UN) == 0)
            #expect(flock(two.fd, LOCK_SH | LOCK_NB) == 0)
            #expect(lock(one, 0..<5) == 0)
            #expect(lock(two, 4..<9) == EAGAIN)
            #expect(lock(two, 5..<9) == 0)
        }
    }

    /// A POSIX lock that belongs to the open file (F_OFD_SETLK), so that one process can meet itself.
    private func lock(_ file: Descriptor, _ range: Range<Int>) -> Int32 {
        var wanted = Glibc.flock()
        wanted.l_type = Int16(F_WRLCK)
        wanted.l_whence = Int16(SEEK_SET)
        wanted.l_start = range.lowerBound
        wanted.l_len = range.count
        let setOpenFileLock: Int32 = 37
        return fcntl(file.fd, setOpenFileLock, &wanted) == 0 ? 0 : errno
    }
}

/// Mapped memory of a file.
private final class Mapping {
    private let memory: UnsafeMutableRawPointer
    private let count: Int

    init(_ file: Descriptor, _ count: Int, _ kind: Int32) throws(Errno) {
        let memory = mmap(nil, count, PROT_READ | PROT_WRITE, kind, file.fd, 0)
        guard let memory, memory != MAP_FAILED else { throw Errno(rawValue: errno) }
        self.memory = memory
        self.count = count
    }

    func set(_ text: String, at offset: Int) {
        memory.advanced(by: offset).copyMemory(from: Array(text.utf8), byteCount: text.utf8.count)
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: UnsafeRawBufferPointer(start: memory, count: count)[range], as: UTF8.self)
    }

    deinit { munmap(memory, count) }
}
