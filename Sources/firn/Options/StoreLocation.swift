import Control
import Foundation
import Glibc
import Store
import SystemPackage

/// Where the store is that a command is about, and how that was found.
struct StoreLocation {
    /// The store's directory.
    let path: String
    /// The mount that led to it, if one did.
    var mountpoint: String?

    /// The first of: what `--store` gives, what `FIRN_STORE` gives, the mount that the working directory lies
    /// in. The first two may name a store or a mount of one.
    ///
    /// - Throws: ``UsageError`` when nothing names a store.
    static func find(_ option: String?) throws -> StoreLocation {
        let environment = getenv("FIRN_STORE").map { String(cString: $0) }
        if let named = option ?? environment.flatMap({ $0.isEmpty ? nil : $0 }) {
            return try find(named: named)
        }
        if let location = try enclosingMount() { return location }
        throw UsageError(
            "no store was named", hint: "give --store DIRECTORY, set FIRN_STORE, or stand inside a mount")
    }

    /// A store's directory or a mount of one.
    static func find(named path: String) throws(StoreError) -> StoreLocation {
        let store = RawPath(path + "/firn.json")
        if (try? Syscall.statIfPresent(at: AT_FDCWD, store)) == nil, let location = try mount(at: path) {
            return location
        }
        return StoreLocation(path: path)
    }

    /// The mount that a directory lies in.
    ///
    /// - Parameter start: empty for the working directory.
    static func enclosingMount(of start: String = "") throws(StoreError) -> StoreLocation? {
        var path = start
        // As many steps as a working directory can have; the root is its own parent.
        var last: FileIdentity?
        for _ in 0..<RawPath.byteCountMax / 2 {
            let directory = path.isEmpty ? "." : path
            let identity: FileIdentity
            do throws(Errno) { identity = try FileIdentity(directory) } catch {
                if error == .socketNotConnected { try requireLive(directory) }
                return nil
            }
            if identity == last { return nil }
            if let location = try mount(at: directory) { return location }
            last = identity
            path += path.isEmpty ? ".." : "/.."
        }
        return nil
    }

    private struct FileIdentity: Equatable {
        let device: UInt64
        let inode: UInt64

        init(_ path: String) throws(Errno) {
            let status = try Syscall.stat(at: AT_FDCWD, RawPath(path + "/."))
            device = UInt64(status.st_dev)
            inode = UInt64(status.st_ino)
        }
    }

    /// nil where there is no mount at `path`.
    private static func mount(at path: String) throws(StoreError) -> StoreLocation? {
        let bytes: [UInt8]
        do throws(Errno) { bytes = try identity(ofMountAt: path) } catch {
            if error == .socketNotConnected { try requireLive(path) }
            return nil
        }
        guard let document = try? JSONParser.parse(bytes), let store = document["store"].string else {
            throw StoreError(
                .invalidInput, "the mount does not say which store it shows", subject: path,
                hint: "name the store with --store")
        }
        return StoreLocation(path: store, mountpoint: path)
    }

    /// What the mount at `path` says of its store; ENOENT where there is none.
    private static func identity(ofMountAt path: String) throws(Errno) -> [UInt8] {
        do throws(Errno) { return try SmallFile.read(path + "/.firn/store") } catch {
            guard error == .noSuchFileOrDirectory else { throw error }
            // A daemon of release 0.1 that is still running says it here, beside what costs it more.
            return try SmallFile.read(path + "/.firn/status")
        }
    }

    /// - Throws: ``StoreError`` that says how to mount anew, where a mount has lost its daemon.
    private static func requireLive(_ path: String) throws(StoreError) {
        // Of a mount without a daemon the table and the name are all that can be had.
        let name = path == "." ? FileManager.default.currentDirectoryPath : path
        guard let real = try? RealPath.of(Array(name.utf8)),
            let mount = try MountTable.read().mount(enclosing: real), mount.isFirn
        else { return }
        let (store, mountpoint) = (Printable.name(mount.source), Printable.name(mount.mountpoint))
        throw StoreError(
            .system(.socketNotConnected), "the mount has lost its daemon; nothing staged or sealed is lost",
            subject: mountpoint, hint: "mount it again: firn mount \(store) \(mountpoint)")
    }
}
