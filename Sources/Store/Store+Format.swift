internal import Glibc
internal import Objects
internal import SystemPackage

// What firn.json says.
extension Store {
    public var format: StoreFormat { currentFormat.withLock { $0 } }

    /// Makes programs that know only earlier formats refuse the store, because of what it is about to hold. Durable
    /// when this returns; nothing is done where the format is as high.
    func raiseFormat(to number: Int) throws(StoreError) {
        let raised = format.raised(to: number)
        if raised == format { return }
        try system("write", "firn.json") { () throws(Errno) in try Store.write(raised.encoded(), to: root) }
        currentFormat.withLock { $0 = raised }
    }

    static func write(_ bytes: [UInt8], to root: Descriptor) throws(Errno) {
        let name = RawPath("tmp/firn.json")
        let file = try Syscall.open(at: root.fd, name, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
        let count = try bytes.withRawBytes { bytes throws(Errno) in
            try Syscall.write(file.fd, bytes, at: 0)
        }
        guard count == bytes.count else { throw .noSpace }
        try Syscall.sync(file.fd)
        // What makes a directory a store comes last.
        try Syscall.sync(root.fd)
        try Syscall.rename(at: root.fd, name, to: root.fd, StoreFormat.fileName)
        try Syscall.sync(root.fd)
    }

    static func readFormat(_ root: Descriptor, _ path: String) throws(StoreError) -> StoreFormat {
        let bytes: [UInt8]
        do throws(Errno) {
            let file = try Syscall.open(at: root.fd, StoreFormat.fileName, O_RDONLY)
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = try buffer.withMutableRawBytes { buffer throws(Errno) in
                try Syscall.read(file.fd, into: buffer, at: 0)
            }
            bytes = Array(buffer.prefix(count))
        } catch {
            guard error == .noSuchFileOrDirectory else {
                throw StoreError(error, doing: "read firn.json", subject: path)
            }
            throw StoreError(
                .notAStore, "this directory is not a store: it has no firn.json", subject: path,
                hint: "make one with: firn init DIRECTORY")
        }
        return try StoreFormat(decoding: bytes, at: path)
    }
}
