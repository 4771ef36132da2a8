import Glibc
import Store
import SystemPackage

/// The mounts this process sees: `/proc/self/mountinfo`. Reading it touches none of them, so a mount whose daemon
/// has died cannot hang or fail it. See: `man 5 proc_pid_mountinfo`.
struct MountTable {
    struct Entry: Hashable {
        let mountpoint: [UInt8]
        /// Of the device number.
        let deviceMinor: Int
        /// `fuse.firn`, `ext4`.
        let type: String
        /// For a Firn mount its store.
        let source: [UInt8]

        var isFirn: Bool { type == "fuse.firn" }
    }

    /// In the order they were mounted.
    let entries: [Entry]

    static func read() throws(StoreError) -> MountTable {
        let path = "/proc/self/mountinfo"
        do throws(Errno) {
            return MountTable(parsing: try SmallFile.read(RawPath(path), byteCountMax: 64 << 20))
        } catch { throw StoreError(error, doing: "read", subject: path) }
    }

    /// Lines that are not as they should be are passed over.
    init(parsing text: [UInt8]) {
        entries = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " ")).map { Array($0) }
            // A dash alone ends the optional fields, of which there are any number.
            guard fields.count > 6, let dash = fields[6...].firstIndex(of: [UInt8(ascii: "-")]),
                fields.count > dash + 2
            else { return nil }
            let device = String(decoding: fields[2], as: UTF8.self).split(separator: ":")
            return Entry(
                mountpoint: MountTable.unescape(fields[4]), deviceMinor: device.last.flatMap { Int($0) } ?? 0,
                type: String(decoding: fields[dash + 1], as: UTF8.self),
                source: MountTable.unescape(fields[dash + 2]))
        }
    }

    /// The mount one sees at `path`: of several on top of each other the last.
    func mount(at path: [UInt8]) -> Entry? { entries.last { $0.mountpoint == path } }

    /// The mount that `path` lies in.
    func mount(enclosing path: [UInt8]) -> Entry? {
        entries.filter { path == $0.mountpoint || path.starts(with: $0.mountpoint + [UInt8(ascii: "/")]) }
            .max { $0.mountpoint.count < $1.mountpoint.count }
    }

    /// The Firn mounts of a store.
    func mounts(of store: [UInt8]) -> [Entry] { entries.filter { $0.isFirn && $0.source == store } }

    /// Space, tab, newline and backslash stand there as `\040` and so on.
    private static func unescape(_ bytes: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let digits = bytes[index...].dropFirst().prefix(3)
            if bytes[index] == UInt8(ascii: "\\"), digits.count == 3,
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                result.append(value)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }
}

/// Paths as the mount table has them: absolute, without symlinks. Found without touching what is mounted there.
enum RealPath {
    /// - Throws: the system's error when the directory above is not there.
    static func of(_ path: [UInt8]) throws(Errno) -> [UInt8] {
        var trimmed = path
        while trimmed.count > 1, trimmed.last == UInt8(ascii: "/") { trimmed.removeLast() }
        do throws(Errno) { return try resolve(trimmed) } catch {
            // A dead mount says ENOTCONN to everything but a look at the name above it.
            guard error == .socketNotConnected else { throw error }
            let slash = trimmed.lastIndex(of: UInt8(ascii: "/"))
            let parent =
                slash.map { $0 == 0 ? [UInt8(ascii: "/")] : Array(trimmed[..<$0]) } ?? [UInt8(ascii: ".")]
            let name = slash.map { Array(trimmed[($0 + 1)...]) } ?? trimmed
            let above = try resolve(parent)
            return (above == [UInt8(ascii: "/")] ? [] : above) + [UInt8(ascii: "/")] + name
        }
    }

    private static func resolve(_ path: [UInt8]) throws(Errno) -> [UInt8] {
        let resolved = RawPath(path).withCString { realpath($0, nil) }
        guard let resolved else { throw Errno(rawValue: errno) }
        defer { free(resolved) }
        return Array(UnsafeRawBufferPointer(start: resolved, count: strlen(resolved)))
    }
}
