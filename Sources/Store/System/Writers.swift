internal import Glibc
internal import SystemPackage

extension Syscall {
    /// Whether any process has the file open for writing, or a mapping through which it can be written.
    ///
    /// The kernel knows: it grants a read lease only where there is none. The lease is given back at once, so
    /// the answer is worth as much as the caller's hold on new opens. On a filesystem without leases it is no.
    ///
    /// - Parameter fd: open for reading only.
    static func hasWriter(_ fd: Int32) throws(Errno) -> Bool { try !grantsLease(fd, Int32(F_RDLCK)) }

    /// Whether anyone at all but the caller has the file open or mapped: the kernel grants a write lease only
    /// where nobody has. With the same limits.
    static func hasOtherUser(_ fd: Int32) throws(Errno) -> Bool { try !grantsLease(fd, Int32(F_WRLCK)) }

    private static func grantsLease(_ fd: Int32, _ kind: Int32) throws(Errno) -> Bool {
        do throws(Errno) {
            _ = try check { fcntl(fd, setLease, kind) }
        } catch {
            switch error {
            case .resourceTemporarilyUnavailable: return false
            case .invalidArgument: return true
            default: throw error
            }
        }
        _ = try check { fcntl(fd, setLease, Int32(F_UNLCK)) }
        return true
    }

    /// F_SETLEASE of `man 2 fcntl`, which Glibc's module hides behind `_GNU_SOURCE`.
    private static let setLease: Int32 = 1024
}
