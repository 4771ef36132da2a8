import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct NamesTests {
    @Test(arguments: [false, true])
    func `rename replaces, refuses to, and exchanges`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "a")
            try mount.write("staging/b", "b")
            try mount.makeDirectory("staging/D")
            try mount.write("staging/D/x", "x")
            try mount.makeDirectory("staging/E")
            if isSealed { try mount.commit() }
            #expect(
                failure { () throws(Errno) in try mount.rename("staging/a", "staging/b", .noReplace) }
                    == .fileExists)
            try mount.rename("staging/a", "staging/b", .exchange)
            #expect(try mount.read("staging/a") + mount.read("staging/b") == "ba")
            try mount.rename("staging/a", "staging/D", .exchange)
            #expect(try mount.read("staging/D") + mount.read("staging/a/x") == "bx")
            try mount.rename("staging/a", "staging/E")
            #expect(try mount.names("staging") == ["D", "E", "b"])
            var open: Descriptor? = try mount.open("staging/b", O_RDONLY)
            try mount.rename("staging/D", "staging/b")
            #expect(try open?.read(1) == "a")
            #expect(try mount.read("staging/b") == "b")
            open = nil
            #expect(
                failure { () throws(Errno) in try mount.rename("staging/E", "staging/b") } == .notDirectory)
            #expect(
                failure { () throws(Errno) in try mount.rename("staging/b", "staging/E") } == .isDirectory)
            #expect(
                failure { () throws(Errno) in try mount.rename("staging/E", "staging/E/in") }
                    == .invalidArgument)
            try mount.commit()
            try mount.remount()
            #expect(try mount.names("staging") == ["E", "b"])
            #expect(try mount.names("versions/latest/E") == ["x"])
        }
    }

    @Test
    func `names may be any bytes, and no longer than 255`() throws {
        try MountedStore.with { mount in
            let long = String(repeating: "n", count: 255)
            let odd: [[UInt8]] = [
                [0xff, 0xfe, 0x80], Array("a\nb\u{1}".utf8), Array(" ".utf8), Array(long.utf8),
            ]
            let staging = try mount.open("staging", O_RDONLY | O_DIRECTORY)
            for name in odd {
                _ = try Syscall.open(at: staging.fd, RawPath(name), O_CREAT | O_WRONLY, mode: 0o644)
            }
            #expect(
                failure { () throws(Errno) in try mount.write("staging/\(long)n", "") } == .fileNameTooLong)
            #expect(
                failure { () throws(Errno) in _ = try mount.status("staging/\(long)n") } == .fileNameTooLong)
            try mount.commit()
            for place in ["staging", "versions/latest/"] {
                let names = try Syscall.names(at: AT_FDCWD, mount.place(place)).map(\.bytes)
                #expect(Set(names) == Set(odd), "\(place)")
            }
        }
    }

    @Test
    func `paths may have 4095 bytes`() throws {
        try MountedStore.with { mount in
            var path = "staging"
            while mount.mountpoint.utf8.count + path.utf8.count + 202 < 4095 {
                path += "/" + String(repeating: "p", count: 200)
                try mount.makeDirectory(path)
            }
            // The name below versions/ is three bytes longer.
            let last = 4095 - mount.mountpoint.utf8.count - path.utf8.count - 5
            path += "/" + String(repeating: "f", count: min(255, last))
            try mount.write(path, "1")
            try mount.commit()
            try mount.write(path, "2")
            try Syscall.setAttribute(mount.place(path), RawPath("user.x"), [7])
            #expect(try mount.read(path) == "2")
            #expect(try mount.read(path.replacing("staging", with: "versions/1", maxReplacements: 1)) == "1")
        }
    }

    @Test
    func `a tree of a thousand levels is sealed, moved and removed`() throws {
        try MountedStore.with { mount in
            var here = try mount.open("staging", O_RDONLY | O_DIRECTORY)
            for _ in 0..<1000 {
                try Syscall.makeDirectory(at: here.fd, RawPath("d"), mode: 0o755)
                here = try Syscall.open(at: here.fd, RawPath("d"), O_RDONLY | O_DIRECTORY)
            }
            let file = try Syscall.open(at: here.fd, RawPath("f"), O_CREAT | O_RDWR, mode: 0o644)
            try file.write("deep", at: 0)
            try mount.commit()
            try mount.rename("staging/d", "staging/e")
            try Syscall.rename(at: here.fd, RawPath("f"), to: here.fd, RawPath("g"))
            #expect(try Syscall.names(at: here.fd, .here).map(\.display) == ["g"])
            try mount.commit()
            let found = try Shell.run([
                "/usr/bin/find", mount.versions + "/latest/", "-name", "g", "-size", "4c",
            ])
            #expect(found.text.split(separator: "/").count > 1000)
            #expect(try Shell.run(["/usr/bin/rm", "-r", mount.staging + "/e"]).status == 0)
            #expect(try mount.names("staging").isEmpty)
        }
    }

    @Test(arguments: [false, true])
    func `a listing that goes on while names go misses and repeats none`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            let count = 3000
            for index in 0..<count { try mount.write("staging/f\(index)", "") }
            if isSealed { try mount.commit() }
            let directory = try #require(opendir(mount.staging))
            defer { closedir(directory) }
            var seen: [String] = []
            while let entry = readdir(directory) {
                let name = withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                guard name.hasPrefix("f") else { continue }
                seen.append(name)
                if seen.count % 2 == 0 { try mount.unlink("staging/\(name)") }
                if seen.count % 500 == 0 { try mount.write("staging/new\(seen.count)", "") }
            }
            #expect(seen.count == count)
            #expect(Set(seen).count == count)
            #expect(try mount.names("staging").count == count / 2 + count / 500)
        }
    }

    @Test
    func `inode numbers outlast copy-up, rename and remount`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            for name in ["a", "b"] { try mount.write("staging/d/\(name)", name) }
            try mount.write("staging/fresh", "")
            let fresh = try mount.status("staging/fresh").st_ino
            try mount.remount()
            #expect(try mount.status("staging/fresh").st_ino == fresh)
            try mount.commit()
            try mount.remount()
            let before = try ["d", "d/a", "d/b"].map { try mount.status("staging/\($0)").st_ino }
            try mount.write("staging/d/a", "+", flags: O_APPEND)
            try mount.rename("staging/d/b", "staging/d/c")
            try mount.rename("staging/d", "staging/e")
            for isRemounted in [false, true] {
                if isRemounted { try mount.remount() }
                let after = try ["e", "e/a", "e/c"].map { try mount.status("staging/\($0)").st_ino }
                #expect(after == before)
            }
            let sealed = try mount.status("versions/v000001/d/a").st_ino
            try mount.remount()
            #expect(try mount.status("versions/v000001/d/a").st_ino == sealed)
        }
    }

    @Test
    func `no new file has the inode number of one that was sealed`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "1")
            let known = try ["d", "d/f"].map { try mount.status("staging/\($0)").st_ino }
            try mount.commit()
            // The seal has freed backing inodes, and the next files get them.
            for index in 0..<20 { try mount.makeDirectory("staging/d/\(index)") }
            let fresh = try (0..<20).map { try mount.status("staging/d/\($0)").st_ino }
            #expect(Set(known).isDisjoint(with: fresh))
            let walk = try Shell.run(["/usr/bin/find", mount.staging])
            #expect(walk.complaints.isEmpty)
        }
    }
}
