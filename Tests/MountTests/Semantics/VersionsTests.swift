import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct VersionsTests {
    @Test
    func `every change below versions is refused, whoever asks`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "1")
            try mount.commit(#"{"tag": "t"}"#)
            for base in ["versions/v000001/d", "versions"] {
                let file = mount.place(base == "versions" ? "versions/t" : "\(base)/f")
                let new = mount.place("\(base)/new")
                let changes: [(String, () throws(Errno) -> Void)] = [
                    (
                        "create",
                        { () throws(Errno) in
                            _ = try Syscall.open(at: AT_FDCWD, new, O_CREAT | O_WRONLY, mode: 0o600)
                        }
                    ),
                    (
                        "mkdir",
                        { () throws(Errno) in try Syscall.makeDirectory(at: AT_FDCWD, new, mode: 0o700) }
                    ),
                    (
                        "mkfifo",
                        { () throws(Errno) in
                            try Syscall.makeNode(at: AT_FDCWD, new, mode: S_IFIFO | 0o600, device: 0)
                        }
                    ),
                    (
                        "symlink",
                        { () throws(Errno) in try Syscall.makeSymlink(at: AT_FDCWD, new, target: file) }
                    ),
                    ("link", { () throws(Errno) in try Syscall.link(at: AT_FDCWD, file, to: AT_FDCWD, new) }),
                    (
                        "rename",
                        { () throws(Errno) in try Syscall.rename(at: AT_FDCWD, file, to: AT_FDCWD, new) }
                    ),
                    ("unlink", { () throws(Errno) in try Syscall.unlink(at: AT_FDCWD, file) }),
                    (
                        "chown",
                        { () throws(Errno) in try Syscall.changeOwner(at: AT_FDCWD, file, uid: 1, gid: 1) }
                    ),
                    (
                        "utimens",
                        { () throws(Errno) in
                            try Syscall.changeTimes(at: AT_FDCWD, file, access: .now, modification: .now)
                        }
                    ),
                    (
                        "setxattr",
                        { () throws(Errno) in try Syscall.setAttribute(file, RawPath("trusted.x"), [1]) }
                    ),
                    (
                        "tmpfile",
                        { () throws(Errno) in
                            _ = try Syscall.open(
                                at: AT_FDCWD, mount.place(base), Syscall.nameless | O_RDWR, mode: 0o600)
                        }
                    ),
                ]
                for (name, change) in changes {
                    #expect(failure(change) == .readOnlyFileSystem, "\(name) in \(base)")
                }
            }
            let file = mount.place("versions/v000001/d/f")
            #expect(
                failure { () throws(Errno) in _ = try Syscall.open(at: AT_FDCWD, file, O_RDWR) }
                    == .readOnlyFileSystem)
            #expect(
                failure { () throws(Errno) in _ = try Syscall.open(at: AT_FDCWD, file, O_RDONLY | O_TRUNC) }
                    == .readOnlyFileSystem)
            #expect(
                failure { () throws(Errno) in try Syscall.changeMode(at: AT_FDCWD, file, 0o600) }
                    == .readOnlyFileSystem)
            #expect(truncate(mount.versions + "/v000001/d/f", 0) == -1 && errno == EROFS)
            #expect(
                failure { () throws(Errno) in
                    try Syscall.removeDirectory(at: AT_FDCWD, mount.place("versions/v000001/d"))
                } == .readOnlyFileSystem)
            #expect(try mount.read("versions/v000001/d/f") == "1")
        }
    }

    @Test
    func `latest, tags and dates are symlinks to versions`() throws {
        try MountedStore.with { mount in
            #expect(try mount.names("versions") == ["by-date"])
            for index in 1...3 {
                try mount.write("staging/a", "\(index)")
                try mount.commit("{\"tags\": [\"t\(index)\"]}")
            }
            #expect(
                try mount.names("versions")
                    == ["by-date", "latest", "t1", "t2", "t3", "v000001", "v000002", "v000003"])
            #expect(try mount.target("versions/latest") == "v000003")
            #expect(try mount.target("versions/t2") == "v000002")
            let time = try mount.status("versions/v000002").st_mtim.tv_sec
            #expect(time > 1_700_000_000)
            let year = try #require(try mount.names("versions/by-date").first)
            let month = try #require(try mount.names("versions/by-date/\(year)").first)
            let day = try #require(try mount.names("versions/by-date/\(year)/\(month)").last)
            let place = "versions/by-date/\(year)/\(month)/\(day)"
            for name in try mount.names(place) {
                #expect(try mount.target("\(place)/\(name)").hasPrefix("../../../../v"))
            }
            #expect(try mount.read("\(place)/\(try #require(try mount.names(place).last))/a") == "3")
        }
    }

    @Test
    func `a version answers to names that are not listed`() throws {
        try MountedStore.with { mount in
            for index in 1...3 {
                try mount.write("staging/a", "\(index)")
                try mount.commit()
            }
            let log = try JSONSerialization.jsonObject(with: Data(try mount.run("log", "--json").utf8))
            _ = log
            #expect(try mount.read("versions/2/a") == "2")
            #expect(try mount.read("versions/latest~2/a") == "1")
            #expect(try mount.read("versions/v3~1/a") == "2")
            #expect(try mount.read("versions/@2999-01-01/a") == "3")
            for name in ["4", "latest~3", "@1999-01-01", "nothing", "v4"] {
                #expect(
                    failure { () throws(Errno) in _ = try mount.status("versions/\(name)") }
                        == .noSuchFileOrDirectory, "\(name)")
            }
        }
    }

    @Test
    func `tags and versions made by the tool show at once`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            #expect(try mount.names("versions") == ["by-date"])
            #expect(
                failure { () throws(Errno) in _ = try mount.status("versions/good") }
                    == .noSuchFileOrDirectory)
            try mount.run("commit", "-m", "first")
            try mount.run("tag", "good")
            #expect(try mount.target("versions/good") == "v000001")
            try mount.write("staging/a", "2")
            try mount.run("commit", "-m", "second")
            #expect(try mount.read("versions/latest/a") == "2")
            try mount.run("tag", "--force", "good", "2")
            #expect(try mount.target("versions/good") == "v000002")
            #expect(try mount.read("versions/good/a") == "2")
            try mount.run("tag", "-d", "good")
            #expect(
                failure { () throws(Errno) in _ = try mount.status("versions/good") }
                    == .noSuchFileOrDirectory)
        }
    }

    @Test
    func `a version does not change under those who read it`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.commit()
            let file = try mount.open("versions/v000001/a", O_RDONLY)
            try mount.write("staging/a", "2")
            try mount.commit()
            #expect(try file.read(9) == "1")
            #expect(try mount.read("versions/v000001/a") == "1")
        }
    }

    @Test
    func `a version that is forgotten under those who read it is gone, not damaged`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/read", "sealed")
            try mount.write("staging/d/unread", "sealed too")
            try mount.commit()
            try mount.write("staging/d/read", "changed")
            try mount.write("staging/d/unread", "changed too")
            try mount.commit()
            // Nothing of the version is in the daemon's memory then.
            try mount.remount()
            let unlisted = try #require(opendir(mount.versions + "/v000001"))
            defer { closedir(unlisted) }
            try mount.run("forget", "v1")
            try mount.run("gc")
            errno = 0
            #expect(readdir(unlisted) == nil && errno == ESTALE)
            #expect(openat(dirfd(unlisted), "d", O_RDONLY) == -1 && [ESTALE, ENOENT].contains(errno))
            #expect(
                failure { () throws(Errno) in _ = try mount.status("versions/v000001") }
                    == .noSuchFileOrDirectory)
        }
    }

    @Test
    func `a file of a forgotten version can be read by who has it open`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/open", "sealed")
            try mount.commit()
            try mount.write("staging/open", "changed")
            try mount.commit()
            let open = try mount.open("versions/v000001/open", O_RDONLY)
            try mount.run("forget", "v1")
            try mount.run("gc")
            #expect(try open.read(99) == "sealed")
        }
    }
}
