internal import CLinux
internal import Glibc
internal import Objects
public import SystemPackage

// How a path of several names is followed. Who can change a directory that is being walked (a user of the mount in
// staging, the owner of a store that root has mounted, anyone in a directory that is imported) may put a symlink
// where a directory was, at any moment. So no call of `Syscall` that begins at a descriptor follows one: files are
// opened by openat2 with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, and what has no such variant is done in the
// directory that was opened so, by the last name alone.
extension Syscall {
    /// Runs `call` with the directory that the last name of `path` lies in, and that name.
    ///
    /// A path that begins at no descriptor (`AT_FDCWD`) was typed by a person or is one of /proc, and goes as it is.
    static func beneath<Result>(
        _ directory: Int32, _ path: RawPath, _ call: (Int32, UnsafePointer<CChar>) throws(Errno) -> Result
    ) throws(Errno) -> Result {
        try path.withCString { path throws(Errno) in
            guard directory != AT_FDCWD, let slash = strrchr(path, Int32(UInt8(ascii: "/"))) else {
                return try call(directory, path)
            }
            let parent = try check { firn_open_parent(directory, path, UnsafePointer(slash) - path) }
            defer { _ = close(parent) }
            return try call(parent, UnsafePointer(slash) + 1)
        }
    }
}

extension Place {
    /// The same place, as one name in the directory that it lies in: for several calls on it in a row.
    public func resolved() throws(Errno) -> Place {
        let bytes = path.bytes
        guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return self }
        let parent = try path.withCString { path throws(Errno) in
            try Syscall.check { firn_open_parent(directory.fd, path, slash) }
        }
        return Place(directory: Descriptor(parent), path: RawPath(Array(bytes[(slash + 1)...])))
    }
}
