internal import Objects

/// Writes archives in the pax format of POSIX.1-2001, as GNU tar writes them. See: `man 5 tar`.
///
/// What a header's fields cannot hold goes into a pax header before it: long names and those that are not ASCII
/// (byte for byte: GNU tar and Firn take them so, whatever their encoding), times with a fraction, large numbers,
/// extended attributes, and the map of a sparse file (GNU's form 1.0).
struct TarWriter {
    private let output: ArchiveOutput

    static let blockByteCount = 512

    /// A run of a file's bytes that is no hole.
    struct Extent: Hashable {
        let start: UInt64
        let count: UInt64
    }

    init(_ output: ArchiveOutput) {
        self.output = output
    }

    /// Writes the header of an entry. Of a file, its bytes must follow, by ``write(_:)``, and then ``pad(after:)``.
    ///
    /// - Parameter extents: of a sparse file: those bytes alone follow.
    func begin(_ entry: TreeEntry, named name: [UInt8], extents: [Extent]? = nil) throws(StoreError) {
        var pax = PaxRecords()
        var header = TarHeader()
        var (name, size) = (name, entry.blob == nil ? 0 : entry.size)
        var map: [UInt8] = []
        if let extents {
            pax.add("GNU.sparse.major", "1")
            pax.add("GNU.sparse.minor", "0")
            pax.add("GNU.sparse.name", name)
            pax.add("GNU.sparse.realsize", String(size))
            name = Array("GNUSparseFile.0/".utf8) + entry.name.bytes.prefix(80).filter { $0 < 0x80 }
            map = TarWriter.map(extents, size: size)
            size = extents.reduce(UInt64(map.count)) { $0 + $1.count }
        }
        if entry.kind == .directory, name.last != UInt8(ascii: "/") { name.append(UInt8(ascii: "/")) }
        if !header.set(\.name, name) { pax.add("path", name) }
        if case .target(let target) = entry.content, !header.set(\.link, target) {
            pax.add("linkpath", target)
        }
        if !header.set(\.size, size) { pax.add("size", String(size)) }
        if !header.set(\.uid, UInt64(entry.uid)) { pax.add("uid", String(entry.uid)) }
        if !header.set(\.gid, UInt64(entry.gid)) { pax.add("gid", String(entry.gid)) }
        _ = header.set(\.mode, UInt64(entry.mode))
        let seconds = UInt64(exactly: entry.mtime.seconds)
        if seconds.map({ header.set(\.mtime, $0) }) != true || entry.mtime.subsecond != 0 {
            pax.add("mtime", TarWriter.decimal(entry.mtime))
        }
        if case .device(let number) = entry.content {
            // As gnu_dev_major and gnu_dev_minor take it apart.
            let major = number >> 8 & 0xfff | number >> 32 & ~0xfff
            let minor = number & 0xff | number >> 12 & ~0xff
            if !header.set(\.major, major) { pax.add("SCHILY.devmajor", String(major)) }
            if !header.set(\.minor, minor) { pax.add("SCHILY.devminor", String(minor)) }
        }
        for attribute in entry.xattrs {
            pax.add(Array("SCHILY.xattr.".utf8) + TarAttributeName.encoded(attribute.name), attribute.value)
        }
        if !pax.bytes.isEmpty { try write(pax, of: entry) }
        try output.write(header.bytes(type: TarWriter.type(entry.kind)))
        try output.write(map)
    }

    /// Some of the bytes of the file that was begun.
    func write(_ bytes: UnsafeRawBufferPointer) throws(StoreError) { try output.write(bytes) }

    /// Ends a file of which `count` bytes were written.
    func pad(after count: UInt64) throws(StoreError) {
        let rest = Int(count % UInt64(TarWriter.blockByteCount))
        if rest > 0 { try output.write([UInt8](repeating: 0, count: TarWriter.blockByteCount - rest)) }
    }

    /// Writes the archive's end.
    func finish() throws(StoreError) {
        try output.write([UInt8](repeating: 0, count: 2 * TarWriter.blockByteCount))
        try output.finish()
    }

    private func write(_ pax: PaxRecords, of entry: TreeEntry) throws(StoreError) {
        var header = TarHeader()
        _ = header.set(\.name, Array("PaxHeaders.0/".utf8) + entry.name.bytes.prefix(80).filter { $0 < 0x80 })
        _ = header.set(\.mode, 0o644)
        _ = header.set(\.size, UInt64(pax.bytes.count))
        try output.write(header.bytes(type: UInt8(ascii: "x")))
        try output.write(pax.bytes)
        try pad(after: UInt64(pax.bytes.count))
    }

    private static func type(_ kind: EntryKind) -> UInt8 {
        switch kind {
        case .file: UInt8(ascii: "0")
        case .symlink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        case .socket: preconditionFailure("tar has no sockets")
        }
    }

    /// Which bytes of a sparse file follow: decimal numbers on lines of their own, filled up to whole blocks.
    private static func map(_ extents: [Extent], size: UInt64) -> [UInt8] {
        var extents = extents
        // A hole at the end is told by an empty run there.
        if extents.last.map({ $0.start + $0.count }) != size { extents.append(Extent(start: size, count: 0)) }
        var text = "\(extents.count)\n"
        for extent in extents { text += "\(extent.start)\n\(extent.count)\n" }
        let bytes = Array(text.utf8)
        let rest = bytes.count % blockByteCount
        return rest == 0 ? bytes : bytes + [UInt8](repeating: 0, count: blockByteCount - rest)
    }

    /// Seconds with nine digits after the point, as a number: half a second before 1970 is -0.5.
    private static func decimal(_ time: Timestamp) -> String {
        let (isNegative, goesBack) = (time.seconds < 0, time.seconds < 0 && time.subsecond > 0)
        let seconds = (goesBack ? time.seconds + 1 : time.seconds).magnitude
        let digits = String(goesBack ? 1_000_000_000 - time.subsecond : time.subsecond)
        let zeros = String(repeating: "0", count: 9 - digits.count)
        return "\(isNegative ? "-" : "")\(seconds).\(zeros)\(digits)"
    }
}

/// The 512 bytes before an entry's own, in the layout of POSIX's ustar.
private struct TarHeader {
    var name = Field(0, 100)
    var mode = Field(100, 8)
    var uid = Field(108, 8)
    var gid = Field(116, 8)
    var size = Field(124, 12)
    var mtime = Field(136, 12)
    var link = Field(157, 100)
    var major = Field(329, 8)
    var minor = Field(337, 8)

    struct Field {
        let start: Int
        let count: Int
        var bytes: [UInt8] = []

        init(_ start: Int, _ count: Int) {
            self.start = start
            self.count = count
        }
    }

    /// - Returns: false for text that does not fit or is not ASCII, of which the field then holds a beginning.
    mutating func set(_ field: WritableKeyPath<TarHeader, Field>, _ text: [UInt8]) -> Bool {
        self[keyPath: field].bytes = Array(text.prefix(self[keyPath: field].count))
        return text.count <= self[keyPath: field].count && text.allSatisfy { $0 < 0x80 }
    }

    /// - Returns: false for a number that has too many octal digits; the field is then 0.
    mutating func set(_ field: WritableKeyPath<TarHeader, Field>, _ number: UInt64) -> Bool {
        let width = self[keyPath: field].count - 1
        let digits = String(number, radix: 8)
        let fits = digits.utf8.count <= width
        let text = fits ? digits : "0"
        self[keyPath: field].bytes = Array(
            (String(repeating: "0", count: width - text.utf8.count) + text).utf8)
        return fits
    }

    func bytes(type: UInt8) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: TarWriter.blockByteCount)
        for field in [name, mode, uid, gid, size, mtime, link, major, minor] {
            block.replaceSubrange(field.start..<field.start + field.bytes.count, with: field.bytes)
        }
        block[156] = type
        block.replaceSubrange(257..<265, with: Array("ustar\0".utf8) + Array("00".utf8))
        // The sum is taken with blanks in its own place.
        block.replaceSubrange(148..<156, with: [UInt8](repeating: UInt8(ascii: " "), count: 8))
        let digits = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        let text = String(repeating: "0", count: 6 - digits.utf8.count) + digits + "\0 "
        block.replaceSubrange(148..<156, with: Array(text.utf8))
        return block
    }
}

/// `LENGTH KEYWORD=VALUE\n`, the length counting all of it, one after the other.
private struct PaxRecords {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ keyword: String, _ value: String) { add(keyword, Array(value.utf8)) }

    mutating func add(_ keyword: String, _ value: [UInt8]) { add(Array(keyword.utf8), value) }

    mutating func add(_ keyword: [UInt8], _ value: [UInt8]) {
        let rest = [UInt8(ascii: " ")] + keyword + [UInt8(ascii: "=")] + value + [UInt8(ascii: "\n")]
        // The length's own digits count, and may make it a digit longer.
        var digits = String(rest.count).utf8.count
        while String(rest.count + digits).utf8.count > digits { digits += 1 }
        bytes += Array(String(rest.count + digits).utf8) + rest
    }
}

/// Names of extended attributes as GNU tar writes them in keywords, which an equals sign would end.
enum TarAttributeName {
    private static let escapes: [(plain: UInt8, escaped: [UInt8])] = [
        (UInt8(ascii: "%"), Array("%25".utf8)), (UInt8(ascii: "="), Array("%3D".utf8)),
    ]

    static func encoded(_ name: [UInt8]) -> [UInt8] {
        name.flatMap { byte in escapes.first { $0.plain == byte }?.escaped ?? [byte] }
    }

    static func decoded(_ name: [UInt8]) -> [UInt8] {
        var (result, index) = ([UInt8](), 0)
        while index < name.count {
            let escape = escapes.first { name[index...].starts(with: $0.escaped) }
            result.append(escape?.plain ?? name[index])
            index += escape?.escaped.count ?? 1
        }
        return result
    }
}
