import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct AttributesTests {
    private static let isRoot = geteuid() == 0

    @Test
    func `modes, owners, times and attributes are sealed and shown exactly`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d", mode: 0o1777)
            try mount.write("staging/d/f", "bytes")
            try mount.write("staging/d/empty", "")
            try Syscall.makeSymlink(at: AT_FDCWD, mount.place("staging/d/l"), target: RawPath("../x"))
            try Syscall.makeNode(at: AT_FDCWD, mount.place("staging/d/p"), mode: S_IFIFO | 0o600, device: 0)
            try Syscall.setAttribute(mount.place("staging/d/f"), RawPath("user.x"), [0, 1, 2])
            try Syscall.setAttribute(
                mount.place("staging/d"), RawPath("user.long"), Array(repeating: 7, count: 900))
            for (index, name) in ["f", "l", "p", "empty", ""].enumerated() {
                let place = mount.place("staging/d/\(name)")
                if name != "l" { try Syscall.changeMode(at: AT_FDCWD, place, 0o6751) }
                let time = Timestamp(seconds: 981_173_106 + Int64(index), nanoseconds: 123_456_789)
                try Syscall.changeTimes(at: AT_FDCWD, place, access: nil, modification: .at(time))
            }
            let staged = try TreeSnapshot.read(mount.staging)
            try mount.commit()
            #expect(try TreeSnapshot.read(mount.staging).differences(from: staged).isEmpty)
            #expect(try TreeSnapshot.read(mount.versions + "/latest/").differences(from: staged).isEmpty)
            try mount.remount()
            #expect(try TreeSnapshot.read(mount.staging).differences(from: staged).isEmpty)
            #expect(try TreeSnapshot.read(mount.versions + "/latest/").differences(from: staged).isEmpty)
        }
    }

    @Test
    func `what is written through a mapping shows in the time at once, also while it is closed`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/f", String(repeating: "x", count: 8192))
            for round in 0..<200 {
                try Syscall.changeTimes(
                    at: AT_FDCWD, mount.place("staging/f"), access: nil,
                    modification: .at(Timestamp(seconds: Int64(round), nanoseconds: 0)))
                #expect(try mount.status("staging/f").st_mtim.tv_sec == round)
                let file = try mount.open("staging/f", O_RDWR)
                let memory = try #require(mmap(nil, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0))
                memory.storeBytes(of: UInt8(truncatingIfNeeded: round), as: UInt8.self)
                munmap(memory, 8192)
                #expect(try file.status.st_mtim.tv_sec > 1_000_000)
                withExtendedLifetime(file) {}
            }
            // Closed, and the daemon may not know yet.
            for _ in 0..<200 {
                try mount.write("staging/g", "x")
                try Syscall.changeTimes(
                    at: AT_FDCWD, mount.place("staging/g"), access: nil,
                    modification: .at(Timestamp(seconds: 5, nanoseconds: 0)))
                do {
                    let file = try mount.open("staging/g", O_RDWR)
                    let memory = try #require(mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0))
                    memory.storeBytes(of: 7, as: UInt8.self)
                    munmap(memory, 4096)
                }
                #expect(try mount.status("staging/g").st_mtim.tv_sec > 1_000_000)
            }
        }
    }

    @Test
    func `times of any century are those of the filesystem below, staged and sealed`() throws {
        try MountedStore.with { mount in
            // ext4 ends in 1901 and 2446; nanoseconds in 64 bits would in 1677 and 2262.
            let days = [
                "1500-01-01", "1677-09-21", "1901-12-14", "2262-04-12", "2300-01-01", "2446-05-10",
                "2500-01-01",
            ]
            let ends = ["@9223372036.854775808", "@15032385535.999999999"]
            let times = days.map { "\($0)T12:34:56.123456789Z" } + ends
            let fill = """
                cd "$1"; shift; mkdir d; for time; do touch -d "$time" "$time"; done
                ln -s target l; touch -h -d 2300-01-01T00:00:00.5Z l; touch -d 2400-02-29 d .
                """
            let below = mount.directory.appending("below")
            try #require(mkdir(below, 0o755) == 0)
            for place in [below, mount.staging] {
                let outcome = try Shell.run(["/bin/sh", "-ec", fill, "sh", place] + times)
                try #require(outcome.status == 0, "\(outcome.complaints)")
            }
            let list = { (path: String) throws in
                try Shell.run([
                    "/bin/sh", "-ec", "cd \"$1\"; TZ=UTC find . -printf '%p %T+\\n' | sort", "sh", path,
                ]).text
            }
            let wanted = try list(below)
            #expect(wanted.contains("2300-01-01+00:00:00.5"))
            #expect(try list(mount.staging) == wanted)
            try mount.commit()
            for isRemounted in [false, true] {
                if isRemounted { try mount.remount() }
                #expect(try list(mount.staging) == wanted)
                #expect(try list(mount.versions + "/latest/") == wanted)
            }
            #expect(try mount.run("ls", "--json", "latest:l").contains("2300-01-01T00:00:00.500000000Z"))
            #expect(try mount.run("ls", "-l", "latest:l").contains("2300-01-01T00:00:00Z"))
            let touched = try Shell.run([
                "/usr/bin/touch", "-h", "-d", "2300-01-01T00:00:00.500000001Z", mount.staging + "/l",
            ])
            #expect(touched.status == 0)
            try mount.commit()
            #expect(try mount.run("diff", "v1", "v2").contains("l"))
            try mount.run("verify")
        }
    }

    @Test
    func `Firn's own attributes are neither listed nor read nor set`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.commit()
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/a"), 0o600)
            let place = mount.place("staging/a")
            #expect(try Syscall.attributeNames(place).isEmpty)
            #expect(try Syscall.attribute(place, RawPath("user.firn")) == nil)
            #expect(
                failure { () throws(Errno) in try Syscall.setAttribute(place, RawPath("user.firn"), [1]) }
                    == .notPermitted)
        }
    }

    @Test(.enabled(if: isRoot, "only root may act as others"), arguments: [false, true])
    func `what is made inherits group and access list, over a deletion too`(isSealed: Bool) throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            for name in ["g", "a"] { try mount.makeDirectory("staging/\(name)") }
            try Syscall.changeOwner(at: AT_FDCWD, mount.place("staging/g"), uid: nil, gid: 555)
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/g"), 0o2777)
            let given = try Shell.run([
                "/usr/bin/setfacl", "-d", "-m", "u:1000:rwx,g::rx", mount.staging + "/a",
            ])
            #expect(given.status == 0)
            let fill = { () throws in
                for name in ["g", "a"] {
                    try mount.write("staging/\(name)/f", "")
                    try mount.makeDirectory("staging/\(name)/s")
                }
            }
            try fill()
            if isSealed { try mount.commit() }
            for name in ["g", "a"] {
                try mount.unlink("staging/\(name)/f")
                try Syscall.removeDirectory(at: AT_FDCWD, mount.place("staging/\(name)/s"))
            }
            try fill()
            #expect(try mount.status("staging/g/f").st_gid == 555)
            #expect(try mount.status("staging/g/s").st_mode & 0o2000 != 0)
            let list = try Shell.run([
                "/usr/bin/getfacl", "-cnp", mount.staging + "/a/f", mount.staging + "/a/s",
            ])
            #expect(list.text.components("user:1000:rwx") >= 3, "\(list.text)")
        }
    }

    @Test(.enabled(if: isRoot, "only root may act as others"))
    func `other users' permissions hold, and their files are theirs`() throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging"), 0o1777)
            try mount.write("staging/roots", "1")
            let sh = { (script: String) throws in
                try Shell.run(
                    Shell.command(["/bin/sh", "-c", "cd \(mount.staging) && \(script)"], as: "nobody"))
            }
            #expect(try sh("echo x > own && mkdir dir").status == 0)
            let own = try mount.status("staging/own")
            #expect(own.st_uid == 65534 && own.st_gid == 65534)
            #expect(try sh("echo x > roots").status != 0)
            #expect(try sh("rm -f roots").status != 0)
            #expect(try sh("chmod 0 roots").status != 0)
            #expect(try mount.read("staging/roots") == "1")
        }
    }

    @Test(
        .enabled(if: isRoot, "only root may act as others"),
        arguments: ["write", "truncate", "fallocate"], [0o777, 0o666])
    func `a file that someone else changes loses its set-id bits`(change: String, mode: UInt32) throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            try mount.write("staging/f", "1")
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/f"), 0o6000 | mode)
            let path = mount.staging + "/f"
            let script =
                [
                    "write": "echo x >> \(path)", "truncate": "truncate -s 9 \(path)",
                    "fallocate": "fallocate -l 100 \(path)",
                ][change] ?? ""
            let outcome = try Shell.run(Shell.command(["/bin/sh", "-c", script], as: "nobody"))
            #expect(outcome.status == 0, "\(outcome.complaints)")
            // It asks for nothing else, which the kernel may have without asking again.
            let shown = try Shell.run("/usr/bin/stat", "-c", "%a", path).text
            #expect(shown == String(mode, radix: 8) + "\n")
        }
    }

    @Test
    func `statfs tells of the disk the store lies on`() throws {
        try MountedStore.with { mount in
            var (store, shown) = (statvfs(), statvfs())
            #expect(statvfs(mount.store, &store) == 0)
            #expect(statvfs(mount.staging, &shown) == 0)
            #expect(shown.f_blocks == store.f_blocks)
            #expect(shown.f_namemax == 255)
        }
    }

    @Test
    func `fifos and sockets connect processes`() throws {
        try MountedStore.with { mount in
            #expect(mkfifo(mount.staging + "/p", 0o600) == 0)
            let fifo = try mount.open("staging/p", O_RDWR)
            Glibc.write(fifo.fd, "hi", 2)
            var bytes = [UInt8](repeating: 0, count: 2)
            #expect(Glibc.read(fifo.fd, &bytes, 2) == 2)
            #expect(bytes == Array("hi".utf8))
            let script = """
                import socket, sys
                server = socket.socket(socket.AF_UNIX); server.bind(sys.argv[1]); server.listen()
                client = socket.socket(socket.AF_UNIX); client.connect(sys.argv[1]); client.send(b'hi')
                assert server.accept()[0].recv(2) == b'hi'
                """
            let outcome = try Shell.run(["/usr/bin/python3", "-c", script, mount.staging + "/s"])
            #expect(outcome.status == 0, "\(outcome.complaints)")
            try mount.commit()
            #expect(try mount.status("versions/latest/p").st_mode & S_IFMT == S_IFIFO)
        }
    }
}

extension String {
    /// How often `text` is in it.
    fileprivate func components(_ text: String) -> Int {
        split(separator: text, omittingEmptySubsequences: false).count - 1
    }
}
