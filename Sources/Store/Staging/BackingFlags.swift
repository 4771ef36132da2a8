internal import Glibc
internal import Objects
internal import SystemPackage

/// The flags that a backing file has itself, because they say how the system is to treat it. Those that forbid changes
/// are the mount's to heed: on a backing file they would be in the way of the commit, which links and renames it. And
/// who makes a backup of the store wants all of it.
enum BackingFlags {
    private static let passedOn: FileFlags = [.synchronous, .noAccessTime, .synchronousNames]

    /// As far as the backing filesystem has them: what counts is in the mark.
    static func set(_ flags: FileFlags, on place: Place) {
        // One that cannot be opened has them in its mark all the same.
        if let file = try? place.openWhateverMode() { set(flags, on: file) }
    }

    /// The same of an open file.
    static func set(_ flags: FileFlags, on file: Descriptor) {
        try? Syscall.changeFlags(file.fd, to: flags.intersection(passedOn), among: passedOn)
    }
}
