internal import Store
internal import SystemPackage

/// Cuts what arrives on a socket into lines, and refuses one that has no end.
struct LineReader {
    private let fd: Int32
    private let byteCountMax: Int
    private var buffer: [UInt8] = []
    /// How much of ``buffer`` is known to hold no newline.
    private var searched = 0
    /// What the peer has passed along.
    private(set) var descriptor: Descriptor?

    /// - Parameter byteCountMax: of one line without its newline.
    init(_ fd: Int32, byteCountMax: Int) {
        self.fd = fd
        self.byteCountMax = byteCountMax
    }

    /// The next line without its newline; nil at the end, where a line without a newline counts as none.
    ///
    /// - Throws: `.noBufferSpace` for a line that is too long, else the socket's error.
    mutating func next() throws(Errno) -> [UInt8]? {
        while true {
            if let newline = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
                let line = Array(buffer[..<newline])
                buffer.removeSubrange(...newline)
                searched = 0
                guard line.count <= byteCountMax else { throw .noBufferSpace }
                return line
            }
            searched = buffer.count
            guard buffer.count <= byteCountMax else { throw .noBufferSpace }
            let bytes = try ControlSocket.receive(fd, countMax: 65_536, &descriptor)
            if bytes.isEmpty { return nil }
            buffer.append(contentsOf: bytes)
        }
    }
}
