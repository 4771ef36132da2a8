internal import CLinux
public import Glibc
internal import Objects
public import SystemPackage

// Extended attributes.
extension Syscall {
    /// See: `man 2 lgetxattr`; nil where there is none of that name.
    public static func attribute(
        at directory: Int32 = AT_FDCWD, _ path: RawPath, _ name: RawPath
    ) throws(Errno) -> [UInt8]? {
        try beneath(directory, path) { directory, path throws(Errno) in
            try name.withCString { name throws(Errno) in
                try attribute { buffer, size throws(Errno) in
                    try check { firn_getxattrat(directory, path, name, buffer, size) }
                }
            }
        }
    }

    /// See: `man 2 fgetxattr`; nil where there is none of that name.
    public static func attribute(_ fd: Int32, _ name: RawPath) throws(Errno) -> [UInt8]? {
        try attribute { buffer, size throws(Errno) in
            try name.withCString { name throws(Errno) in try check { firn_fgetxattr(fd, name, buffer, size) }
            }
        }
    }

    /// See: `man 2 lsetxattr`; `flags` is XATTR_CREATE, XATTR_REPLACE or 0.
    public static func setAttribute(
        at directory: Int32 = AT_FDCWD, _ path: RawPath, _ name: RawPath, _ value: [UInt8], flags: Int32 = 0,
        function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            try name.withCString { name throws(Errno) in
                _ = try changing(.setAttribute, function) {
                    firn_setxattrat(directory, path, name, value, value.count, flags)
                }
            }
        }
    }

    /// See: `man 2 fsetxattr`.
    public static func setAttribute(
        _ fd: Int32, _ name: RawPath, _ value: [UInt8], flags: Int32 = 0, function: StaticString = #function
    ) throws(Errno) {
        try name.withCString { name throws(Errno) in
            _ = try changing(.setAttribute, function) { firn_fsetxattr(fd, name, value, value.count, flags) }
        }
    }

    /// See: `man 2 lremovexattr`.
    public static func removeAttribute(
        at directory: Int32 = AT_FDCWD, _ path: RawPath, _ name: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try beneath(directory, path) { directory, path throws(Errno) in
            try name.withCString { name throws(Errno) in
                _ = try changing(.removeAttribute, function) { firn_removexattrat(directory, path, name) }
            }
        }
    }

    /// See: `man 2 fremovexattr`.
    public static func removeAttribute(
        _ fd: Int32, _ name: RawPath, function: StaticString = #function
    ) throws(Errno) {
        try name.withCString { name throws(Errno) in
            _ = try changing(.removeAttribute, function) { firn_fremovexattr(fd, name) }
        }
    }

    /// See: `man 2 llistxattr`. Names without their NULs; empty on a filesystem without attributes.
    public static func attributeNames(
        at directory: Int32 = AT_FDCWD, _ path: RawPath
    ) throws(Errno) -> [[UInt8]] {
        try beneath(directory, path) { directory, path throws(Errno) in
            try attributeNames { buffer, size throws(Errno) in
                try check { firn_listxattrat(directory, path, buffer, size) }
            }
        }
    }

    /// See: `man 2 flistxattr`.
    public static func attributeNames(_ fd: Int32) throws(Errno) -> [[UInt8]] {
        try attributeNames { buffer, size throws(Errno) in try check { firn_flistxattr(fd, buffer, size) } }
    }

    static func attribute(
        _ get: (UnsafeMutableRawPointer?, Int) throws(Errno) -> Int
    ) throws(Errno) -> [UInt8]? {
        // Most values fit here; the others are asked for again with the size they have.
        var capacity = 256
        while true {
            var value = [UInt8](repeating: 0, count: capacity)
            do throws(Errno) {
                let count = try value.withMutableRawBytes { buffer throws(Errno) in
                    try get(buffer.baseAddress, buffer.count)
                }
                return Array(value.prefix(count))
            } catch {
                switch error {
                case .noData, .notSupported: return nil
                case .outOfRange: capacity = 65_536
                default: throw error
                }
            }
        }
    }

    static func attributeNames(
        _ list: (UnsafeMutablePointer<CChar>?, Int) throws(Errno) -> Int
    ) throws(Errno) -> [[UInt8]] {
        // Most lists fit here; the others are asked for again with the room that the longest needs.
        var capacity = 256
        while true {
            var names = [UInt8](repeating: 0, count: capacity)
            do throws(Errno) {
                let count = try names.withMutableRawBytes { buffer throws(Errno) in
                    try list(buffer.bindMemory(to: CChar.self).baseAddress, buffer.count)
                }
                return names.prefix(count).split(separator: 0).map { Array($0) }
            } catch {
                switch error {
                case .notSupported: return []
                case .outOfRange where capacity < 65_536: capacity = 65_536
                default: throw error
                }
            }
        }
    }
}
