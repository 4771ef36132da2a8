import Foundation
import Glibc
import TestSupport
import Testing

/// A filesystem that a test mounts for itself, as root. Gone with its last reference.
final class Disk {
    let path: String
    /// The filesystem that its image is on, where that is its own.
    private var pool: String?

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

    /// A new ext4 of 48 MB whose image is on a filesystem of its own: see ``loseWrites(to:)``.
    static func onPool(below directory: String) throws -> Disk {
        let pool = directory + "/pool"
        mkdir(pool, 0o755)
        try run("/usr/bin/mount", "-t", "tmpfs", "-o", "size=64M", "tmpfs", pool)
        let disk = try make(48, below: pool)
        disk.pool = pool
        return disk
    }

    /// From now on what is written to the blocks that a file has does not arrive, and whoever syncs it is told ENOSPC.
    func loseWrites(to file: String) throws {
        let pool = try #require(pool)
        // Nothing is left of the image's room but what the file's blocks take up, and those are taken from it.
        try Disk.run("/usr/bin/fallocate", "-l", "48M", pool + "/disk.img")
        let extents = try Shell.run("/usr/sbin/filefrag", "-b4096", "-v", file).text.matches(
            of: /\d+:\s+\d+\.\.\s*\d+:\s+(\d+)\.\.\s*(\d+):/)
        try #require(!extents.isEmpty)
        for extent in extents {
            let (first, last) = (Int(extent.1)!, Int(extent.2)!)
            try Disk.run(
                "/usr/bin/fallocate", "-p", "-o", "\(first * 4096)", "-l", "\((last - first + 1) * 4096)",
                pool + "/disk.img")
        }
        try resizePool(toUsed: true)
    }

    /// The blocks that were lost can be written to again.
    func takeWrites() throws { try resizePool(toUsed: false) }

    private func resizePool(toUsed: Bool) throws {
        let pool = try #require(pool)
        var status = statvfs()
        statvfs(pool, &status)
        let used = (status.f_blocks - status.f_bfree) * UInt(status.f_frsize)
        try Disk.run("/usr/bin/mount", "-o", "remount,size=\(toUsed ? used : 64 << 20)", pool)
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

    deinit {
        umount2(path, Int32(MNT_DETACH))
        if let pool { umount2(pool, Int32(MNT_DETACH)) }
    }
}
