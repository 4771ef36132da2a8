/// One name in a directory: any bytes but `/` and NUL, 1 to 255 of them, never `.` or `..`.
///
/// Names are bytes, not text: the kernel promises no encoding, so neither does Firn. The root of a tree has
/// the empty name, which ``FileName/root`` alone carries.
public struct FileName: Hashable, Sendable, Comparable {
    public let bytes: [UInt8]

    public static let byteCountMax = 255
    public static let root = FileName(unchecked: [])

    /// - Throws: ``ObjectError`` `.invalidName`
    public init(_ bytes: [UInt8]) throws(ObjectError) {
        guard FileName.isValid(bytes) else {
            throw ObjectError(
                .invalidName, "not a file name", subject: FileName(unchecked: bytes).display,
                hint: "a name has 1 to 255 bytes, no '/' and no NUL, and is not '.' or '..'")
        }
        self.bytes = bytes
    }

    /// For bytes that came from the kernel, which has checked them already.
    public init(unchecked bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// For names written in the source.
    public init(literal: StaticString) {
        self.bytes = literal.withUTF8Buffer { Array($0) }
    }

    public static func isValid(_ bytes: [UInt8]) -> Bool {
        if bytes.isEmpty || bytes.count > byteCountMax { return false }
        if bytes.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") }) { return false }
        return bytes.count > 2 || bytes.contains { $0 != UInt8(ascii: ".") }
    }

    /// The name for a person's eyes; bytes that are not UTF-8 show as U+FFFD.
    public var display: String { String(decoding: bytes, as: UTF8.self) }

    /// Byte order, as `memcmp`; a prefix comes first.
    public static func < (a: FileName, b: FileName) -> Bool {
        a.bytes.lexicographicallyPrecedes(b.bytes)
    }
}

/// A path below some root, as its names. The empty path is the root itself.
public struct TreePath: Hashable, Sendable, Comparable {
    public var names: [FileName]

    public static let root = TreePath(names: [])

    public init(names: [FileName]) {
        self.names = names
    }

    /// Reads `a/b/c`; leading, trailing and doubled slashes and `.` are dropped as the kernel drops them.
    ///
    /// - Throws: ``ObjectError`` `.invalidName` for `..` or a name that is too long.
    public init(_ bytes: some Sequence<UInt8>) throws(ObjectError) {
        var names: [FileName] = []
        for part in Array(bytes).split(separator: UInt8(ascii: "/")) where part != [UInt8(ascii: ".")] {
            names.append(try FileName(Array(part)))
        }
        self.names = names
    }

    public var bytes: [UInt8] { Array(names.map(\.bytes).joined(separator: [UInt8(ascii: "/")])) }
    public var display: String { String(decoding: bytes, as: UTF8.self) }
    public var isRoot: Bool { names.isEmpty }

    public func appending(_ name: FileName) -> TreePath { TreePath(names: names + [name]) }

    public static func < (a: TreePath, b: TreePath) -> Bool {
        a.names.lexicographicallyPrecedes(b.names)
    }
}
