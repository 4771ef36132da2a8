import Glibc
import SystemPackage
import TestSupport

/// One line of a listing, as `getdents` gives it.
struct Listed: Hashable {
    let name: String
    let inode: UInt64
}

/// A directory stream, as programs use it. See: `man 3 opendir`.
final class DirectoryStream {
    private let stream: OpaquePointer

    init(_ path: String) throws(Errno) {
        guard let stream = opendir(path) else { throw Errno(rawValue: errno) }
        self.stream = stream
    }

    deinit { closedir(stream) }

    /// nil at the end.
    func next() -> Listed? {
        guard let entry = readdir(stream) else { return nil }
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        return Listed(name: name, inode: UInt64(entry.pointee.d_ino))
    }

    /// What is left, without `.` and `..`.
    func rest() -> [Listed] {
        var lines: [Listed] = []
        while let line = next() {
            if line.name != ".", line.name != ".." { lines.append(line) }
        }
        return lines
    }

    var position: Int {
        get { telldir(stream) }
        set { seekdir(stream, newValue) }
    }

    func rewind() { rewinddir(stream) }
}

extension MountedStore {
    /// The number that `stat` shows.
    func number(_ path: String) throws(Errno) -> UInt64 { UInt64(try status(path).st_ino) }

    /// The lines of a directory, without `.` and `..`.
    func listing(_ path: String) throws(Errno) -> [Listed] {
        try DirectoryStream("\(mountpoint)/\(path)").rest()
    }

    /// The number of everything below a directory, by path, as `stat` shows it.
    func numbers(below path: String) throws -> [String: UInt64] {
        var numbers: [String: UInt64] = [:]
        var pending = [path]
        while let directory = pending.popLast() {
            for line in try listing(directory) {
                let child = "\(directory)/\(line.name)"
                let status = try status(child)
                numbers[child] = UInt64(status.st_ino)
                if status.st_mode & S_IFMT == S_IFDIR { pending.append(child) }
            }
        }
        return numbers
    }
}
