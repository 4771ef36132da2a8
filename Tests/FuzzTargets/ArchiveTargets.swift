import Glibc
import Objects
import Store
import SystemPackage

// Archives that are imported.
extension FuzzTarget {
    static let archives: [FuzzTarget] = [
        FuzzTarget("tar", byteCountMax: 16_384, ArchiveTarget.problem)
    ]
}

/// Unpacks an archive below a directory of its own in memory, and looks whether anything came to lie elsewhere.
private enum ArchiveTarget {
    @Sendable
    static func problem(_ bytes: [UInt8]) -> String? {
        do {
            return try run(bytes)
        } catch {
            return "tar: the directory to unpack in cannot be used: \(error)"
        }
    }

    private static func run(_ bytes: [UInt8]) throws -> String? {
        var template = Array("/dev/shm/firn-tar-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw Errno(rawValue: errno) }
        let path = String(cString: made)
        let top = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY | O_DIRECTORY)
        defer {
            try? RemoveTree.remove(RawPath("in"), at: top)
            _ = rmdir(path)
        }
        let archive = try Syscall.open(at: top.fd, RawPath("archive"), O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try Syscall.unlink(at: top.fd, RawPath("archive"))
        _ = try bytes.withRawBytes { bytes throws(Errno) in try Syscall.write(archive.fd, bytes, at: 0) }
        _ = try? TarImport.unpack(archive, to: RawPath("in"), in: top)
        let left = try Syscall.names(at: top.fd, .here).map(\.display)
        return left.isEmpty || left == ["in"] ? nil : "tar: something lies beside the directory: \(left)"
    }
}
