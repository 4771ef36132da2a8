internal import CLinux
internal import Dispatch

/// Memory that the allocator keeps for itself: what many small things took that were made between others.
public enum UnusedMemory {
    /// Gives it back to the system. See: `man 3 malloc_trim`.
    static func release() { firn_release_memory() }

    /// The same in two seconds, when what is being given up now is gone.
    ///
    /// - Parameter shrink: called right before.
    public static func releaseLater(_ shrink: @escaping @Sendable () -> Void) {
        DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + .seconds(2)) {
            shrink()
            release()
        }
    }
}
