import Glibc
import Store
import SystemPackage

/// A file that is read as a whole: a metadata document, a mount's status.
enum SmallFile {
    /// - Throws: the system's error; `.fileTooLarge` for more than `byteCountMax`.
    static func read(_ path: RawPath, byteCountMax: Int = 1 << 20) throws(Errno) -> [UInt8] {
        let file = try Syscall.open(at: AT_FDCWD, path, O_RDONLY)
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var bytes: [UInt8] = []
        while true {
            // Not pread: the file may be a pipe, as in `--metadata <(python describe.py)`.
            let count = buffer.withUnsafeMutableBytes { Glibc.read(file.fd, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Errno(rawValue: errno) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer.prefix(count))
            guard bytes.count <= byteCountMax else { throw .fileTooLarge }
        }
    }

    static func read(_ path: String) throws(Errno) -> [UInt8] { try read(RawPath(path)) }
}
