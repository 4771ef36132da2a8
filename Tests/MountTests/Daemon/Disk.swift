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

    /// An overlayfs, empty.
    static func overlay(below directory: String) throws -> Disk {
        for name in ["lower", "upper", "work"] { mkdir("\(directory)/\(name)", 0o755) }
        let disk = Disk(directory + "/merged")
        let options = "lowerdir=\(directory)/lower,upperdir=\(directory)/upper,workdir=\(directory)/work"
        try run("/usr/bin/mount", "-t", "overlay", "overlay", "-o", options, disk.path)
        return disk
    }

    /// A new ext4 of so many megabytes. Becomes read-only by itself on errors.
    static func make(_ megabytes: Int, below directory: String, hasJournal: Bool = false) throws -> Disk {
        let image = directory + "/disk.img"
        try run("/usr/bin/truncate", "-s", "\(megabytes)M", image)
        let journal = hasJournal ? "has_journal" : "^has_journal"
        try run("/usr/sbin/mkfs.ext4", "-q", "-m", "0", "-O", journal, "-N", "20000", image)
        let disk = Disk(directory + "/disk")
        try run("/usr/bin/mount", "-o", "loop,errors=remount-ro", image, disk.path)
        return disk
    }

    /// The device it is on: `loop3`.
    func device() throws -> String {
        let outcome = try Shell.run("/usr/bin/findmnt", "-n", "-o", "SOURCE", path)
        return String(outcome.text.split(separator: "\n").first?.split(separator: "/").last ?? "")
    }

    /// Unmounts it, has it checked and repaired, and mounts it again.
    func repair(_ image: String) throws {
        try Disk.run("/usr/bin/umount", path)
        // Status 1: something was repaired.
        let check = try Shell.run("/usr/sbin/e2fsck", "-fy", image)
        guard check.status <= 1 else { throw MountedStore.Failure(description: check.text) }
        try Disk.run("/usr/bin/mount", "-o", "loop", image, path)
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
