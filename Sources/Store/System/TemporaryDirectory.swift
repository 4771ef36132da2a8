internal import Synchronization
internal import SystemPackage

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

    func place(_ name: RawPath) -> Place { Place(directory: directory, path: name) }

    /// Removes what `name` stands for, if it is still there. What cannot be removed now is removed at the next
    /// start, so a failure is of no account.
    func discard(_ name: RawPath) {
        try? RemoveTree.remove(name, at: directory)
    }

    /// Removes everything.
    func empty() throws(StoreError) {
        let names = try system("list", "tmp/") { () throws(Errno) in try Syscall.names(at: fd, .here) }
        for name in names { try RemoveTree.remove(RawPath(name), at: directory) }
    }
}
