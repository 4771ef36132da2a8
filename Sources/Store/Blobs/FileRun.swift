internal import Glibc
internal import SystemPackage

/// A piece of an open file that is all data or all hole.
struct FileRun: Equatable {
    let range: Range<off_t>
    let isHole: Bool

    /// What begins at `offset`; nil at the file's end. A filesystem that knows no holes says that all is data.
    init?(at offset: off_t, of fd: Int32) throws(Errno) {
        guard let data = try Syscall.seek(fd, to: .data, from: offset) else {
            // No data from here on, or no file.
            let size = try Syscall.stat(fd).st_size
            guard offset < size else { return nil }
            self.init(range: offset..<size, isHole: true)
            return
        }
        if data > offset {
            self.init(range: offset..<data, isHole: true)
        } else {
            guard let end = try Syscall.seek(fd, to: .hole, from: offset) else { return nil }
            self.init(range: offset..<end, isHole: false)
        }
    }

    init(range: Range<off_t>, isHole: Bool) {
        self.range = range
        self.isHole = isHole
    }
}
