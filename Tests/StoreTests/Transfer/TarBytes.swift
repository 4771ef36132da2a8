/// An archive put together entry by entry, as no program would write it.
struct TarBytes {
    private(set) var bytes: [UInt8] = []

    enum Kind: Character {
        case file = "0"
        case hardLink = "1"
        case symlink = "2"
        case device = "3"
        case directory = "5"
        case fifo = "6"
        case pax = "x"
    }

    /// - Parameters:
    ///   - name: at most 100 bytes.
    ///   - size: what the header says, where that is not what follows.
    mutating func add(
        _ name: String, _ kind: Kind, link: String = "", _ data: String = "", size: Int? = nil,
        uid: Int = 0, xattrs: [String: String] = [:]
    ) {
        if !xattrs.isEmpty {
            let records = xattrs.sorted { $0.key < $1.key }.map {
                TarBytes.record("SCHILY.xattr.\($0)=\($1)")
            }
            add("pax", .pax, records.joined())
        }
        var header = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at start: Int) {
            header.replaceSubrange(start..<start + text.utf8.count, with: Array(text.utf8))
        }
        put(name, at: 0)
        put("0000750", at: 100)
        put(TarBytes.octal(uid, 7), at: 108)
        put(TarBytes.octal(0, 7), at: 116)
        put(TarBytes.octal(size ?? data.utf8.count, 11), at: 124)
        put(TarBytes.octal(1_000_000_000, 11), at: 136)
        put("        " + String(kind.rawValue), at: 148)
        put(link, at: 157)
        put("ustar\u{0}00", at: 257)
        put(TarBytes.octal(0, 7), at: 329)
        put(TarBytes.octal(0, 7), at: 337)
        put(TarBytes.octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0}", at: 148)
        bytes += header + Array(data.utf8)
        bytes += [UInt8](repeating: 0, count: (512 - bytes.count % 512) % 512)
    }

    mutating func add(_ name: String, _ data: String = "", size: Int? = nil, xattrs: [String: String] = [:]) {
        add(name, .file, data, size: size, xattrs: xattrs)
    }

    /// With the mark of the end.
    var whole: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    private static func octal(_ number: Int, _ width: Int) -> String {
        let digits = String(number, radix: 8)
        return String(repeating: "0", count: width - digits.utf8.count) + digits
    }

    private static func record(_ text: String) -> String {
        var length = text.utf8.count + 3
        while "\(length) \(text)\n".utf8.count != length { length += 1 }
        return "\(length) \(text)\n"
    }
}
