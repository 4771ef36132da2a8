import Foundation
import Glibc
import TestSupport

/// A filesystem that a test mounts for itself, as root. Gone with its last reference.
final class Disk {
    let path: String

    static let isPossible = geteuid() == 0 && access("/dev/loop-control", R_OK | W_OK) == 0

    private init(_ path: String) {
        self.path = path
        mkdir(path, 0o755)
    }

    /// The directory `source`, read-only.
    static func bind(_ source: String, _ path: String) throws -> Disk {
        let disk = Disk(path)
        try run("/usr/bin/mount", "--bind", source, path)
        try run("/usr/bin/mount", "-o", "remount,bind,ro", path)
        return disk
    }

    /// A new ext4 of so many megabytes.
    static func make(_ megabytes: Int, below directory: String) throws -> Disk {
        let image = directory + "/disk.img"
        try run("/usr/bin/truncate", "-s", "\(megabytes)M", image)
        try run("/usr/sbin/mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-N", "20000", image)
        let disk = Disk(directory + "/disk")
        try run("/usr/bin/mount", "-o", "loop", image, disk.path)
        return disk
    }

    private static func run(_ command: String...) throws {
        let outcome = try Shell.run(command)
        guard outcome.status == 0 else {
            throw MountedStore.Failure(
                description: "\(command.joined(separator: " ")): \(outcome.complaints)")
        }
    }

    deinit { umount2(path, Int32(MNT_DETACH)) }
}
