import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// Files of staging that were open before: the kernel still has them.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct ReopenedFileTests {
    /// O_PATH, which Glibc does not show to Swift.
    private static let path: Int32 = 0o10_000_000

    /// The files below a directory of the store, by inode.
    private func inodes(below directory: String, of mount: MountedStore) throws -> Set<UInt64> {
        let top = "\(mount.store)/\(directory)"
        let names = try FileManager.default.subpathsOfDirectory(atPath: top)
        return Set(
            try names.map { UInt64(try Syscall.stat(at: AT_FDCWD, RawPath("\(top)/\($0)")).st_ino) })
    }

    @Test
    func `a commit links them and copies nothing`() throws {
        try MountedStore.with { mount in
            for index in 0..<20 { try mount.write("staging/f\(index)", "bytes of \(index)") }
            for index in 0..<20 { #expect(try mount.read("staging/f\(index)") == "bytes of \(index)") }
            let staged = try inodes(below: "workspaces/main/upper", of: mount)
            #expect(staged.count == 20)
            try mount.commit()
            #expect(try inodes(below: "objects", of: mount).isSuperset(of: staged))
            // What is written now is written to files of its own.
            for index in 0..<20 { try mount.write("staging/f\(index)", "changed", flags: 0) }
            for index in 0..<20 {
                #expect(try mount.read("staging/f\(index)").hasPrefix("changed"))
                #expect(try mount.read("versions/1/f\(index)") == "bytes of \(index)")
            }
        }
    }

    @Test(arguments: [false, true])
    func `what became of one meanwhile shows`(daemonDies: Bool) throws {
        try MountedStore.with { mount in
            func next() throws {
                if daemonDies { try mount.crashDaemon() }
            }
            for name in ["f", "g", "h"] { try mount.write("staging/\(name)", "bytes of \(name)") }
            #expect(try mount.read("staging/f") == "bytes of f")
            try next()
            #expect(truncate("\(mount.staging)/f", 5) == 0)
            #expect(try mount.read("staging/f") == "bytes")
            try mount.write("staging/f", "other", flags: 0)
            #expect(try mount.read("staging/f") == "other")
            try next()
            try mount.rename("staging/g", "staging/f")
            #expect(try mount.read("staging/f") == "bytes of g")
            try mount.unlink("staging/f")
            try mount.write("staging/f", "anew")
            #expect(try mount.read("staging/f") == "anew")
            try next()
            // One name is gone, the other leads to the same bytes.
            try mount.link("staging/h", "staging/second")
            try mount.unlink("staging/h")
            try mount.write("staging/second", "BYTES", flags: 0)
            #expect(try mount.read("staging/second") == "BYTES of h")
            try mount.commit()
            #expect(try mount.read("versions/1/second") == "BYTES of h")
            #expect(try mount.read("staging/second") == "BYTES of h")
            try mount.run("verify")
        }
    }

    @Test(.enabled(if: MountedStore.isAvailableToAnyone, "only root can become another user"))
    func `set-id bits that one has got since go with a write by another user`() throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            try mount.write("staging/f", "bytes")
            #expect(try mount.read("staging/f") == "bytes")
            #expect(chmod("\(mount.staging)/f", 0o4777) == 0)
            // Root's way to the file is that of all who have it open.
            let reader = try mount.open("staging/f", O_RDONLY)
            let script = "printf BYTES 1<> \(mount.staging)/f"
            #expect(try Shell.run(Shell.command(["/bin/sh", "-c", script], as: "nobody")).status == 0)
            #expect(try reader.read(5) == "BYTES")
            #expect(try mount.status("staging/f").st_mode & 0o7777 == 0o777)
        }
    }

    @Test
    func `one that is open again goes on with its bytes when it loses its name`() throws {
        try MountedStore.with { mount in
            for name in ["aborted", "unlinked", "replaced"] { try mount.write("staging/\(name)", name) }
            let open = try ["aborted", "unlinked", "replaced"].map { name in
                _ = try mount.read("staging/\(name)")
                return try mount.open("staging/\(name)", O_RDONLY)
            }
            try mount.unlink("staging/unlinked")
            try mount.write("staging/new", "new")
            try mount.rename("staging/new", "staging/replaced")
            try mount.run("abort", "--yes")
            for (file, bytes) in zip(open, ["aborted", "unlinked", "replaced"]) {
                #expect(try file.read(20) == bytes)
                #expect(try file.status.st_size == bytes.utf8.count)
                #expect(try Syscall.seek(file.fd, to: .hole, from: 0) == off_t(bytes.utf8.count))
            }
            #expect(try mount.names("staging").isEmpty)
        }
    }

    @Test
    func `one that is opened while another takes its name is one of the two`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/f", "0")
            let renameCount = Lock(0)
            let isDone = Lock(false)
            let (next, name) = (mount.place("staging/next"), mount.place("staging/f"))
            let writer = Thread {
                for index in 0..<400 {
                    // What fails ends it, and the count of renames tells.
                    guard let file = try? Syscall.open(at: AT_FDCWD, next, O_CREAT | O_RDWR, mode: 0o644),
                        (try? file.write("\(index)", at: 0)) != nil,
                        (try? Syscall.rename(at: AT_FDCWD, next, to: AT_FDCWD, name)) != nil
                    else { break }
                    renameCount.withLock { $0 += 1 }
                }
                isDone.withLock { $0 = true }
            }
            writer.start()
            var count = 0
            while !isDone.withLock({ $0 }) {
                let file = try mount.open("staging/f", O_RDONLY)
                let bytes = try file.read(20)
                #expect(try file.status.st_size == bytes.utf8.count && !bytes.isEmpty)
                count += 1
            }
            #expect(count > 0)
            #expect(renameCount.withLock { $0 } == 400)
        }
    }

    @Test(arguments: [false, true])
    func `one that has been sealed cannot be written to by what was known of its names`(isCopiedUp: Bool)
        throws
    {
        try MountedStore.with { mount in
            try mount.write("staging/a", "sealed")
            try mount.link("staging/a", "staging/b")
            try mount.write("staging/new", "new")
            let held = try mount.open("staging/\(isCopiedUp ? "a" : "b")", ReopenedFileTests.path)
            try mount.rename("staging/new", "staging/b")
            try mount.commit()
            if isCopiedUp { try mount.write("staging/a", " and more", flags: O_APPEND) }
            if isCopiedUp { try mount.unlink("staging/a") }
            let again = open("/proc/self/fd/\(held.fd)", O_RDWR)
            if again >= 0 {
                Glibc.write(again, "DAMAGE", 6)
                close(again)
            }
            #expect(try mount.read("versions/1/a") == "sealed")
            try mount.run("verify")
        }
    }

    @Test(.enabled(if: Disk.isPossible, "only root with loop devices can make a small disk"))
    func `many small ones that are removed leave their room to the next`() throws {
        let directory = TestDirectory()
        let disk = try Disk.make(48, below: directory.path)
        try MountedStore.with(below: disk.path) { mount in
            let bytes = String(repeating: "x", count: 48 << 10)
            for _ in 0..<4 {
                for index in 0..<600 { try mount.write("staging/f\(index)", bytes) }
                for index in 0..<600 { try mount.unlink("staging/f\(index)") }
            }
        }
    }

    @Test(.enabled(if: Disk.isPossible, "only root with loop devices can make a small disk"))
    func `one that is removed leaves its room to the next`() throws {
        let directory = TestDirectory()
        let disk = try Disk.make(48, below: directory.path)
        try MountedStore.with(below: disk.path) { mount in
            let bytes = String(repeating: "x", count: 20 << 20)
            for index in 0..<4 {
                try mount.write("staging/f\(index)", bytes)
                #expect(try mount.read("staging/f\(index)").utf8.count == bytes.utf8.count)
                try mount.unlink("staging/f\(index)")
            }
        }
    }
}
