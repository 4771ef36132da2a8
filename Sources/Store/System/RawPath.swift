public import Objects

/// A path as the kernel takes it: bytes with a NUL at the end, relative to some directory descriptor.
public struct RawPath: Hashable, Sendable {
    /// Ends with NUL.
    private var storage: [UInt8]

    /// The longest path the kernel takes in one call, without the NUL.
    public static let byteCountMax = 4095
    /// The directory a descriptor stands for.
    public static let here = RawPath(".")

    public init(_ bytes: [UInt8]) {
        storage = bytes
        storage.append(0)
    }

    public init(_ text: String) {
        self.init(Array(text.utf8))
    }

    public init(_ name: FileName) {
        self.init(name.bytes)
    }

    public var bytes: [UInt8] { Array(storage.dropLast()) }
    public var count: Int { storage.count - 1 }
    public var display: String { String(decoding: storage.dropLast(), as: UTF8.self) }

    public func appending(_ name: FileName) -> RawPath {
        if self == RawPath.here { return RawPath(name) }
        var result = self
        result.storage.reserveCapacity(storage.count + name.bytes.count + 1)
        result.storage[result.storage.count - 1] = UInt8(ascii: "/")
        result.storage.append(contentsOf: name.bytes)
        result.storage.append(0)
        return result
    }

    public func withCString<Result, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try storage.withRawBytes { (buffer) throws(Failure) in
            guard let start = buffer.bindMemory(to: CChar.self).baseAddress else {
                preconditionFailure("never empty: it ends with NUL")
            }
            return try body(start)
        }
    }
}
