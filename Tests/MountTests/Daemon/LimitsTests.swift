import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// What happens at the machine's limits, and that it goes on when there is room again.
@Suite(
    .enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"),
    .enabled(if: TestHost.isRoot, "only root may pass files through and lower another process's limits"))
struct LimitsTests {
    @Test
    func `a daemon without descriptors refuses what needs one, makes nothing by halves, and recovers`() throws
    {
        try MountedStore.with { mount in
            // Files whose bytes are sealed: the daemon reads them itself when they are open in staging.
            for index in 0..<120 { try mount.write("staging/f\(index)", "\(index)") }
            try mount.commit()
            let writer = try mount.open("staging/writer", O_CREAT | O_RDWR)
            try limit(mount, more: 80)

            var (open, refusal): ([Descriptor], Errno?) = try openAll(mount)
            #expect(refusal == .tooManyOpenFilesInSystem)
            #expect(open.count > 20)
            try writer.write("still here", at: 0)
            #expect(try mount.status("staging/f1").st_size == 1)
            #expect(try open[0].read(4) == "0")
            #expect(
                failure { () throws(Errno) in _ = try mount.open("staging/new", O_CREAT | O_RDWR) }
                    == .tooManyOpenFilesInSystem)
            #expect(
                failure { () throws(Errno) in _ = try mount.status("staging/new") } == .noSuchFileOrDirectory)
            #expect(mount.commitStatus("{}") != 0)

            open.removeAll()
            try mount.write("staging/new", "new")
            try mount.commit()
            #expect(try mount.read("versions/2/writer") == "still here")
            #expect(try mount.read("versions/2/new") == "new")
            try mount.run("verify")
        }
    }

    // Foundation's `Process` reads beyond its buffer where this process, which runs all tests, has some 1,360 open files.
    @Test
    func `far more files can be open than the daemon may have descriptors`() throws {
        try MountedStore.with { mount in
            for index in 0..<400 { try mount.write("staging/sealed\(index)", "s\(index)") }
            try mount.commit()
            // The daemon asks for its limit when the first file is opened.
            try mount.remount()
            try limit(mount, more: 160)
            let files = try (0..<400).map { index in
                try mount.open("staging/f\(index)", O_CREAT | O_RDWR)
            }
            let sealed = try (0..<200).map { index in
                try mount.open("versions/1/sealed\(index)", O_RDONLY)
            }
            for (index, file) in files.enumerated() { try file.write("\(index) written", at: 0) }
            for index in stride(from: 0, to: 400, by: 7) {
                #expect(try files[index].read(20) == "\(index) written")
                #expect(try sealed[index / 2].read(20) == "s\(index / 2)")
                #expect(try files[index].status.st_size == "\(index) written".utf8.count)
                try Syscall.sync(files[index].fd)
                #expect(try Syscall.seek(files[index].fd, to: .hole, from: 0) == files[index].status.st_size)
                #expect(try Syscall.seek(sealed[index / 2].fd, to: .data, from: 0) == 0)
            }
            // Truncated and allocated by handle, under other names, and without one.
            try Syscall.truncate(files[399].fd, to: 3)
            try Syscall.allocate(files[398].fd, mode: 0, offset: 0, length: 8192)
            #expect(try files[398].status.st_size == 8192)
            try mount.rename("staging/f397", "staging/renamed")
            try Syscall.sync(files[397].fd)
            try mount.unlink("staging/f396")
            try mount.rename("staging/f394", "staging/f395")
            for index in [395, 396] {
                #expect(try files[index].status.st_nlink == 0)
                try files[index].write("gone", at: 0)
                #expect(try files[index].read(4) == "gone")
                try Syscall.sync(files[index].fd)
            }
            // Nor are descriptors needed for those without a name: the supervisor's next daemon has one for them.
            let nameless = try (0..<100).map { _ in try mount.open("staging", Syscall.nameless | O_RDWR) }
            for index in 200..<300 { try mount.unlink("staging/f\(index)") }
            for (index, file) in (nameless + files[200..<300]).enumerated() {
                try file.write("nameless \(index)", at: 0)
                #expect(try file.read(20).hasPrefix("nameless \(index)"))
                #expect(try file.status.st_nlink == 0)
                try Syscall.sync(file.fd)
            }
            // Open for writing, so copied by the seal; and they go on.
            try mount.commit()
            #expect(try mount.read("versions/2/f100") == "100 written")
            #expect(try mount.read("versions/2/f399") == "399")
            #expect(try mount.read("versions/2/renamed") == "397 written")
            try files[100].write("CHANGED", at: 0)
            #expect(try mount.read("staging/f100").hasPrefix("CHANGED"))
            #expect(try mount.read("versions/2/f100") == "100 written")
            withExtendedLifetime((files, sealed, nameless)) {}
            try mount.run("verify")
        }
    }

    @Test
    func `nor does the next daemon need descriptors for open files, named or not`() throws {
        try MountedStore.with { mount in
            let named = try (0..<100).map { try mount.open("staging/f\($0)", O_CREAT | O_RDWR) }
            let nameless = try (0..<100).map { _ in try mount.open("staging", Syscall.nameless | O_RDWR) }
            // As the next daemon's, too.
            let daemon = try #require(mount.daemon)
            let outcome = try Shell.run(
                "/bin/sh", "-c", "prlimit --pid $(cut -d' ' -f4 /proc/\(daemon)/stat) --nofile=140:140")
            try #require(outcome.status == 0)
            try mount.crashDaemon()
            for file in named + nameless {
                try file.write("goes on", at: 0)
                #expect(try file.status.st_size == 7)
                #expect(try Syscall.seek(file.fd, to: .hole, from: 0) == 7)
            }
        }
    }

    @Test
    func `a store that is moved away while it is mounted works on, and when it is back all is there`() throws
    {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.commit()
            let away = mount.store + ".away"
            #expect(rename(mount.store, away) == 0)
            try mount.write("staging/b", "2")
            #expect(try mount.read("versions/1/a") == "1")
            #expect(rename(away, mount.store) == 0)
            try mount.write("staging/c", "3")
            try mount.commit()
            #expect(try mount.names("versions/latest/") == ["a", "b", "c"])
            try mount.run("verify")
        }
    }

    @Test
    func `a store that is removed while it is mounted is an error to programs, and can be unmounted`() throws
    {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.write("staging/b", "2")
            try mount.commit()
            let open = try mount.open("staging/new", O_CREAT | O_RDWR)
            try open.write("open", at: 0)
            #expect(try Shell.run("/usr/bin/rm", "-rf", mount.store).status == 0)
            #expect(try open.read(4) == "open")
            #expect(
                failure { () throws(Errno) in try mount.write("staging/c", "3") } == .noSuchFileOrDirectory)
            #expect(failure { () throws(Errno) in _ = try mount.read("versions/1/b") } == .ioError)
            #expect(mount.commitStatus("{}") != 0)
            #expect(try mount.names("") == [".firn", "staging", "versions"])
            withExtendedLifetime(open) {}
        }
    }

    @Test(.enabled(if: Disk.isPossible, "only root with loop devices can make a disk"))
    func `a disk that turns read-only under a mount is EROFS, and after its repair all is there`() throws {
        let directory = TestDirectory()
        let disk = try Disk.make(32, below: directory.path, hasJournal: true)
        let trigger = "/sys/fs/ext4/\(try disk.device())/trigger_fs_error"
        try #require(access(trigger, W_OK) == 0, "this kernel cannot be told that a disk has failed")
        try MountedStore.with(below: disk.path) { mount in
            try mount.write("staging/a", "sealed")
            try mount.write("staging/b", "sealed too")
            try mount.commit()
            do {
                let synced = try mount.open("staging/synced", O_CREAT | O_RDWR)
                try synced.write("synced", at: 0)
                try Syscall.sync(synced.fd)
            }
            try "1".write(toFile: trigger, atomically: false, encoding: .utf8)

            let refusals = [
                failure { () throws(Errno) in try mount.write("staging/new", "new") },
                failure { () throws(Errno) in try mount.makeDirectory("staging/d") },
                failure { () throws(Errno) in try mount.unlink("staging/synced") },
                failure { () throws(Errno) in try mount.rename("staging/a", "staging/c") },
                failure { () throws(Errno) in _ = try mount.open("staging/b", O_RDWR) },
            ]
            #expect(refusals == Array(repeating: .readOnlyFileSystem, count: 5))
            #expect(mount.commitStatus("{}") != 0)
            #expect(try mount.read("staging/a") == "sealed")
            #expect(try mount.read("versions/1/b") == "sealed too")
            let refused = try mount.firn("commit")
            #expect(refused.status != 0)
            #expect(refused.complaints.lowercased().contains("read-only"), "\(refused.complaints)")

            try mount.unmount()
            try disk.repair(directory.appending("disk.img"))
            try mount.mount()
            #expect(try mount.read("staging/synced") == "synced")
            #expect(try mount.read("versions/1/a") == "sealed")
            try mount.write("staging/new", "new")
            try mount.commit()
            try mount.run("verify")
        }
    }

    @Test(
        .enabled(if: Disk.isPossible, "only root with loop devices can make a disk"),
        arguments: ["on", "off"])
    func `bytes that the disk lost are written anew, also when only their writer knew`(passthrough: String)
        throws
    {
        let directory = TestDirectory()
        let disk = try Disk.onPool(below: directory.path)
        let bytes = String(repeating: "x", count: 1 << 20)
        try MountedStore.with(options: ["--passthrough", passthrough], below: disk.path) { mount in
            try mount.write("staging/a", "sealed")
            try mount.commit()
            var other: Descriptor? = try mount.open("staging/log", O_CREAT | O_RDWR)
            do {
                let file = try mount.open("staging/log", O_RDWR | O_SYNC)
                try file.write(String(repeating: "o", count: bytes.utf8.count), at: 0)
                try disk.loseWrites(to: mount.store + "/workspaces/main/upper/log")
                #expect(failure { () throws(Errno) in try file.write(bytes, at: 0) } == .noSpace)
                // Now the kernel has told, and takes what is in memory for written.
                try disk.takeWrites()
            }
            if let file = other {
                // Each who has it open is told once.
                #expect(failure { () throws(Errno) in try Syscall.sync(file.fd) } == .noSpace)
                try Syscall.sync(file.fd)
            }
            other = nil
            try mount.commit()
            try mount.unmount()
            try disk.repair(directory.appending("pool/disk.img"))
            try mount.mount()
            #expect(try mount.read("versions/2/log") == bytes)
            try mount.run("verify")
        }
    }

    /// Opens one sealed file after the other, until that is refused.
    private func openAll(_ mount: MountedStore) throws -> (open: [Descriptor], refusal: Errno?) {
        var open: [Descriptor] = []
        for index in 0..<120 {
            do throws(Errno) { open.append(try mount.open("staging/f\(index)", O_RDONLY)) } catch {
                return (open, error)
            }
        }
        return (open, nil)
    }

    /// Lets the daemon open so many files more than it has open now.
    private func limit(_ mount: MountedStore, more: Int) throws {
        let daemon = try #require(mount.daemon)
        let count = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon)/fd").count
        let outcome = try Shell.run(
            "/usr/bin/prlimit", "--pid", "\(daemon)", "--nofile=\(count + more):\(count + more)")
        try #require(outcome.status == 0)
    }
}
