import CLinux
import Control
import Glibc
import Store
import SystemPackage

/// A directory that a store is to be mounted on.
enum Mountpoint {
    /// Looks at everything that can be known to be wrong before the daemon starts. A dead Firn mount that is in
    /// the way is taken away.
    ///
    /// - Returns: the absolute path.
    /// - Throws: ``StoreError`` `.invalidInput` or `.busy`, saying what is wrong with it.
    static func prepare(_ path: String, for store: String) throws(StoreError) -> String {
        let real = try resolve(path)
        let text = String(decoding: real, as: UTF8.self)
        if let mount = try MountTable.read().mount(at: real) {
            guard mount.isFirn, isDying(text, mount) else { throw taken(text, by: mount) }
            try detach(text)
            return try prepare(path, for: store)
        }
        try requireApart(text, store)
        try requireEmptyDirectory(text)
        return text
    }

    /// The path as the mount table has it.
    static func resolve(_ path: String) throws(StoreError) -> [UInt8] {
        do throws(Errno) { return try RealPath.of(Array(path.utf8)) } catch {
            guard error == .noSuchFileOrDirectory else {
                throw StoreError(error, doing: "look at the mountpoint", subject: path)
            }
            throw StoreError(
                .invalidInput, "the mountpoint does not exist", subject: path,
                hint: "make it with: mkdir \(path)")
        }
    }

    /// Whether the daemon behind a Firn mount is gone, or about to be: it lets go of its store first.
    private static func isDying(_ path: String, _ mount: MountTable.Entry) -> Bool {
        if isDead(path) { return true }
        let store = String(decoding: mount.source, as: UTF8.self)
        return (try? StoreOwnership.isOwned(store)) == false
    }

    /// Whether the daemon behind a FUSE mount is gone.
    static func isDead(_ path: String) -> Bool {
        var status = Glibc.stat()
        var filesystem = statvfs()
        // What `stat` says the kernel may remember.
        return (stat(path, &status) != 0 || statvfs(path, &filesystem) != 0) && errno == ENOTCONN
    }

    /// Takes a mount away at once; what still uses it goes on until it is done with it.
    static func detach(_ path: String) throws(StoreError) {
        if geteuid() == 0 {
            guard firn_unmount(path, 1) == 0 else {
                throw StoreError(Errno(rawValue: errno), doing: "detach the mount", subject: path)
            }
            return
        }
        let status = try ChildProcess.run("fusermount3", ["-u", "-z", "-q", "--", path])
        guard status == 0 else {
            throw StoreError(
                .system(.notPermitted), "fusermount3 could not detach the mount", subject: path,
                hint: "only who mounted it, or root, may unmount it")
        }
    }

    private static func taken(_ path: String, by mount: MountTable.Entry) -> StoreError {
        let what = mount.isFirn ? "the store \(String(decoding: mount.source, as: UTF8.self))" : mount.type
        return StoreError(
            .busy, "something is mounted here already: \(what)", subject: path,
            hint: mount.isFirn ? "unmount it with: firn unmount \(path)" : "choose another directory")
    }

    /// The daemon must not need itself to reach its own store.
    private static func requireApart(_ path: String, _ store: String) throws(StoreError) {
        if isBelow(store, path) {
            throw StoreError(
                .invalidInput, "the store lies below the mountpoint, which would hide it", subject: path,
                hint: "mount it on a directory of its own")
        }
        if isBelow(path, store) {
            throw StoreError(
                .invalidInput, "the mountpoint lies in the store", subject: path,
                hint: "mount it on a directory elsewhere")
        }
    }

    private static func isBelow(_ path: String, _ directory: String) -> Bool {
        path == directory || path.hasPrefix(directory == "/" ? "/" : directory + "/")
    }

    private static func requireEmptyDirectory(_ path: String) throws(StoreError) {
        let isEmpty: Bool
        do throws(Errno) { isEmpty = try Syscall.names(at: AT_FDCWD, RawPath(path)).isEmpty } catch {
            guard error == .notDirectory else {
                throw StoreError(error, doing: "look at the mountpoint", subject: path)
            }
            throw StoreError(.invalidInput, "the mountpoint is not a directory", subject: path)
        }
        guard isEmpty else {
            throw StoreError(
                .invalidInput, "the mountpoint is not empty, and mounting would hide what is there",
                subject: path, hint: "mount on an empty directory")
        }
    }
}
