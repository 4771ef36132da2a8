internal import Glibc
internal import SystemPackage
internal import Synchronization

/// A directory on the store's filesystem in which files and directories are made before they are renamed to
/// their places. Emptied when the store is opened for writing: nothing in it was acknowledged.
final class TemporaryDirectory: Sendable {
    private let directory: Descriptor
    private let counter = Atomic<UInt64>(0)

    init(_ directory: Descriptor) {
        self.directory = directory
    }

    var fd: Int32 { directory.fd }

    /// A name no one else has in this directory.
    func name() -> RawPath {
        RawPath("t\(counter.wrappingAdd(1, ordering: .relaxed).newValue)")
    }

    /// Removes what `name` stands for, if it is still there. What cannot be removed now is removed at the next
    /// start, so a failure is of no account.
    func discard(_ name: RawPath) {
        try? RemoveTree.remove(name, at: fd)
    }

    /// Removes everything.
    func empty() throws(StoreError) {
        let names = try system("list", "tmp/") { () throws(Errno) in try Syscall.names(at: fd, .here) }
        for name in names { try RemoveTree.remove(RawPath(name), at: fd) }
    }
}

/// `rm -rf`, without following a symlink and without trusting a mode.
enum RemoveTree {
    /// Does nothing where there is no such name.
    static func remove(_ path: RawPath, at directory: Int32) throws(StoreError) {
        do throws(Errno) { try removeAny(path, at: directory) } catch {
            throw StoreError(error, doing: "remove", subject: path.display)
        }
    }

    private static func removeAny(_ path: RawPath, at directory: Int32) throws(Errno) {
        do {
            try Syscall.unlink(at: directory, path)
        } catch {
            switch error {
            case .noSuchFileOrDirectory: return
            case .isDirectory, .notPermitted: try removeDirectory(path, at: directory)
            default: throw error
            }
        }
    }

    /// Through a descriptor, so that depth is bounded by nothing but the stack.
    private static func removeDirectory(_ path: RawPath, at directory: Int32) throws(Errno) {
        let inner: Descriptor
        do {
            inner = try Syscall.open(at: directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        } catch {
            guard error == .permissionDenied else { throw error }
            try Syscall.changeMode(at: directory, path, 0o700)
            inner = try Syscall.open(at: directory, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        let names = try Syscall.names(at: inner.fd, .here)
        if !names.isEmpty, try Syscall.stat(inner.fd).st_mode & 0o700 != 0o700 {
            try Syscall.changeMode(inner.fd, 0o700)
        }
        for name in names { try removeAny(RawPath(name), at: inner.fd) }
        try Syscall.removeDirectory(at: directory, path)
    }
}
