internal import Objects
internal import Synchronization
internal import SystemPackage

/// A directory on the store's filesystem in which files and directories are made before they are renamed to
/// their places. Emptied when the store is opened for writing: nothing in it was acknowledged.
final class TemporaryDirectory: Sendable {
    private let directory: Descriptor
    private let counter = Atomic<UInt64>(0)
    private let discarding: Afterwork

    /// - Parameter isEmptiedLater: whether what may be large is removed while others go on.
    init(_ directory: Descriptor, isEmptiedLater: Bool) {
        self.directory = directory
        discarding = Afterwork(isLater: isEmptiedLater)
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

    /// The same for what may be a large tree.
    func discardLater(_ name: RawPath) {
        discarding.run { [self] in discard(name) }
    }

    /// Removes everything that an owner before this one has left. To be called before anything is made.
    func empty() throws(StoreError) {
        let names = try system("list", "tmp/") { () throws(Errno) in try Syscall.names(at: fd, .here) }
        let numbers = names.compactMap { UInt64($0.display.dropFirst()) }
        counter.store(numbers.max() ?? 0, ordering: .relaxed)
        for name in names { discardLater(RawPath(name)) }
    }

    /// Returns when all that was to be removed is.
    func finish() { discarding.finish() }
}
