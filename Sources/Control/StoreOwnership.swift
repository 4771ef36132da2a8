internal import Glibc
public import Store
internal import SystemPackage

/// Looks at a store's lock from outside, without ever holding it for long.
public enum StoreOwnership {
    /// Whether some process owns the store at `path` now.
    ///
    /// - Throws: the system's error when the lock cannot be looked at; a store without a lock has no owner.
    public static func isOwned(_ path: String) throws(StoreError) -> Bool {
        do throws(Errno) {
            let file = try Syscall.open(at: AT_FDCWD, RawPath(path + "/lock"), O_RDONLY | O_NOFOLLOW)
            // Shared, and given back with the descriptor at the end of this call.
            try Syscall.lock(file.fd, exclusive: false)
            return false
        } catch {
            switch error {
            case .wouldBlock: return true
            case .noSuchFileOrDirectory: return false
            default: throw StoreError(error, doing: "look at the lock of", subject: path)
            }
        }
    }

    /// The process that owns the store, by what it noted itself; nil where none did.
    public static func owner(_ path: String) -> Int32? {
        let lock = RawPath(path + "/lock")
        guard let file = try? Syscall.open(at: AT_FDCWD, lock, O_RDONLY | O_NOFOLLOW) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 32)
        let count = buffer.withUnsafeMutableBytes { (try? Syscall.read(file.fd, into: $0, at: 0)) ?? 0 }
        return Int32(String(decoding: buffer.prefix(count).prefix { $0 != 10 }, as: UTF8.self))
    }
}
