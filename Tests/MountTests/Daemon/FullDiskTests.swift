import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(
    .enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"),
    .enabled(if: Disk.isPossible, "only root with loop devices can make a small disk"))
struct FullDiskTests {
    @Test
    func `a disk that fills up during writes, copy-up and commits loses nothing`() throws {
        let directory = TestDirectory()
        let disk = try Disk.make(48, below: directory.path)
        try MountedStore.with(below: disk.path) { mount in
            let megabyte = String(repeating: "x", count: 1 << 20)
            try mount.write("staging/big", String(repeating: megabyte, count: 12))
            try mount.write("staging/small", "small")
            try mount.commit()
            let ballast = disk.path + "/ballast"

            // Writing.
            try fill(ballast, leaving: 2 << 20, on: disk)
            let file = try mount.open("staging/new", O_CREAT | O_RDWR)
            var written = 0
            let full = failure { () throws(Errno) in
                for _ in 0..<8 {
                    try file.write(megabyte, at: written)
                    written += megabyte.utf8.count
                }
            }
            #expect(full == .noSpace)
            #expect(try file.read(16) == String(repeating: "x", count: 16))
            try mount.unlink("staging/new")
            // The kernel tells the daemon of the last close after it is done, and it may be about to be hashed by a thread
            // that yields to all others: then the space is free again.
            for _ in 0..<3000 where free(disk) < 1_500_000 { usleep(10_000) }

            // Copy-up: what was sealed shows unchanged, staged or not.
            #expect(failure { () throws(Errno) in _ = try mount.open("staging/big", O_RDWR) } == .noSpace)
            #expect(try mount.status("staging/big").st_size == 12 << 20)
            #expect(
                try mount.read("staging/big").utf8.elementsEqual(
                    repeatElement(UInt8(ascii: "x"), count: 12 << 20)))

            // Committing, with a file whose writer makes the seal copy it.
            try mount.write("staging/small", "changed")
            let open = try mount.open("staging/open", O_CREAT | O_RDWR)
            try open.write(String(megabyte.prefix(900_000)), at: 0)
            try fill(ballast, leaving: 0, on: disk)
            let refused = mount.commitStatus("{}")
            #expect(refused == ENOSPC || refused == EIO, "\(refused)")
            #expect(try mount.read("staging/small") == "changed")
            #expect(try mount.names("versions").contains("v000002") == false)

            // With space again, all of it works.
            Glibc.unlink(ballast)
            try mount.commit()
            #expect(try mount.read("versions/2/small") == "changed")
            #expect(try mount.status("versions/2/open").st_size == 900_000)
            let writer = try mount.open("staging/big", O_RDWR)
            try writer.write("y", at: 0)
            #expect(try mount.status("staging/big").st_size == 12 << 20)
            #expect(try mount.open("versions/1/big", O_RDONLY).read(2) == "xx")
        }
    }

    @Test
    func `a disk without room for the catalog's log fails the commit and loses nothing`() throws {
        let directory = TestDirectory()
        let disk = try Disk.make(48, below: directory.path)
        try MountedStore.with(below: disk.path) { mount in
            try mount.write("staging/small", "small")
            try mount.commit()
            // One object, and a megabyte of tree nodes.
            let name = String(repeating: "n", count: 200)
            for index in 0..<3000 { try mount.write("staging/\(name)\(index)", "") }
            let ballast = disk.path + "/ballast"
            try fill(ballast, leaving: 500_000, on: disk)
            let refused = try mount.firn("commit")
            #expect(refused.status != 0)
            #expect(refused.complaints.contains("catalog"), "\(refused.complaints)")
            #expect(refused.complaints.contains("No space left"), "\(refused.complaints)")
            #expect(mount.commitStatus("{}") == ENOSPC)
            #expect(try mount.names("staging").count == 3001)
            #expect(try mount.names("versions").contains("v000002") == false)

            Glibc.unlink(ballast)
            try mount.commit()
            #expect(try mount.names("versions/2/").count == 3001)
            try mount.run("verify")
        }
    }

    /// Takes up the disk's space but for so many bytes.
    private func fill(_ path: String, leaving rest: Int, on disk: Disk) throws {
        let file = try Syscall.open(at: AT_FDCWD, RawPath(path), O_CREAT | O_WRONLY, mode: 0o600)
        let excess = free(disk) - rest
        guard excess > 0 else { return }
        let size = Int(try file.status.st_size)
        var step = excess
        // Extents need blocks of their own, so the last bytes go in ever smaller pieces.
        while step >= 4096 {
            if posix_fallocate(file.fd, size, step) == 0 { break }
            step -= max(4096, step / 64)
        }
    }

    /// How many bytes can still be written.
    private func free(_ disk: Disk) -> Int {
        var status = statvfs()
        statvfs(disk.path, &status)
        return Int(status.f_bavail * status.f_bsize)
    }
}
