public import Glibc
internal import Objects
public import Store
public import SystemPackage

// Short ways to what tests do most; paths are relative to the mountpoint.
extension MountedStore {
    public func place(_ path: String) -> RawPath { RawPath("\(mountpoint)/\(path)") }

    public func open(_ path: String, _ flags: Int32, mode: mode_t = 0o644) throws(Errno) -> Descriptor {
        try Syscall.open(at: AT_FDCWD, place(path), flags, mode: mode)
    }

    /// Makes or replaces a file.
    public func write(_ path: String, _ text: String, flags: Int32 = O_CREAT | O_TRUNC) throws(Errno) {
        let file = try open(path, O_WRONLY | flags)
        try file.write(text, at: 0)
    }

    public func read(_ path: String) throws(Errno) -> String {
        let file = try open(path, O_RDONLY)
        return try file.read(Int(try Syscall.stat(file.fd).st_size) + 1)
    }

    public func makeDirectory(_ path: String, mode: mode_t = 0o755) throws(Errno) {
        try Syscall.makeDirectory(at: AT_FDCWD, place(path), mode: mode)
    }

    public func unlink(_ path: String) throws(Errno) { try Syscall.unlink(at: AT_FDCWD, place(path)) }

    public func rename(_ old: String, _ new: String, _ flags: Syscall.RenameFlags = []) throws(Errno) {
        try Syscall.rename(at: AT_FDCWD, place(old), to: AT_FDCWD, place(new), flags)
    }

    public func link(_ old: String, _ new: String) throws(Errno) {
        try Syscall.link(at: AT_FDCWD, place(old), to: AT_FDCWD, place(new))
    }

    /// Symlinks are not followed.
    public func status(_ path: String) throws(Errno) -> stat { try Syscall.stat(at: AT_FDCWD, place(path)) }

    public func target(_ path: String) throws(Errno) -> String {
        String(decoding: try Syscall.readSymlink(at: AT_FDCWD, place(path)), as: UTF8.self)
    }

    /// In order.
    public func names(_ path: String) throws(Errno) -> [String] {
        try Syscall.names(at: AT_FDCWD, place(path)).map(\.display).sorted()
    }

    /// Commits by way of `.firn/commit`; throws what the write or close fails with.
    public func commit(_ json: String = "{}") throws(Errno) {
        let status = commitStatus(json)
        guard status == 0 else { throw Errno(rawValue: status) }
    }
}

extension Descriptor {
    public func write(_ text: String, at offset: Int) throws(Errno) {
        let bytes = Array(text.utf8)
        try bytes.withRawBytes { (buffer) throws(Errno) in _ = try Syscall.write(fd, buffer, at: offset) }
    }

    public func read(_ count: Int, at offset: Int = 0) throws(Errno) -> String {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        defer { buffer.deallocate() }
        return String(decoding: buffer.prefix(try Syscall.read(fd, into: buffer, at: offset)), as: UTF8.self)
    }

    public var status: stat {
        get throws(Errno) { try Syscall.stat(fd) }
    }
}
