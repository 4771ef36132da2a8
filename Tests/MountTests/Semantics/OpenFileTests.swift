import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct OpenFileTests {
    @Test
    func `O_EXCL refuses what is there, sealed or staged`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            #expect(
                failure { () throws(Errno) in _ = try mount.open("staging/a", O_CREAT | O_EXCL) }
                    == .fileExists)
            try mount.commit()
            #expect(
                failure { () throws(Errno) in _ = try mount.open("staging/a", O_CREAT | O_EXCL) }
                    == .fileExists)
        }
    }

    @Test
    func `appends of two writers follow each other, over a commit too`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/log", "0")
            try mount.commit()
            let one = try mount.open("staging/log", O_WRONLY | O_APPEND)
            let two = try mount.open("staging/log", O_WRONLY | O_APPEND)
            Glibc.write(one.fd, "1", 1)
            Glibc.write(two.fd, "2", 1)
            try mount.commit()
            Glibc.write(one.fd, "3", 1)
            Glibc.write(two.fd, "4", 1)
            #expect(try mount.read("staging/log") == "01234")
            #expect(try mount.read("versions/latest/log") == "012")
        }
    }

    @Test
    func `O_TRUNC of a sealed file leaves the version as it is`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "sealed")
            try mount.commit()
            try mount.write("staging/a", "new")
            #expect(try mount.read("staging/a") == "new")
            #expect(try mount.read("versions/v000001/a") == "sealed")
        }
    }

    @Test
    func `a file without a name gets one by linkat, unless O_EXCL forbids it`() throws {
        try MountedStore.with { mount in
            let file = try mount.open("staging", O_RDWR | Syscall.nameless, mode: 0o640)
            try file.write("abc", at: 0)
            #expect(try file.status.st_nlink == 0)
            try Syscall.link(file.fd, to: AT_FDCWD, mount.place("staging/x"))
            try file.write("d", at: 3)
            #expect(try mount.read("staging/x") == "abcd")
            #expect(try file.status.st_ino == mount.status("staging/x").st_ino)
            #expect(try mount.status("staging/x").st_mode & 0o777 == 0o640)
            let secret = try mount.open("staging", O_RDWR | Syscall.nameless | O_EXCL)
            #expect(
                failure { () throws(Errno) in
                    try Syscall.link(secret.fd, to: AT_FDCWD, mount.place("staging/y"))
                } == .noSuchFileOrDirectory)
            #expect(try mount.names("staging") == ["x"])
        }
    }

    @Test(arguments: [false, true])
    func `an unlinked file lives on while it is open`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "hello")
            if isSealed { try mount.commit() }
            let file = try mount.open("staging/a", O_RDWR)
            try mount.unlink("staging/a")
            try file.write("HE", at: 0)
            try Syscall.setAttribute(file.fd, RawPath("user.x"), [1])
            try Syscall.changeMode(file.fd, 0o600)
            #expect(try file.read(9) == "HEllo")
            #expect(try Syscall.attribute(file.fd, RawPath("user.x")) == [1])
            #expect(try file.status.st_nlink == 0)
            #expect(try file.status.st_mode & 0o777 == 0o600)
            try mount.commit(#"{"allow_empty": true}"#)
            try file.write("!", at: 5)
            #expect(try file.read(9) == "HEllo!")
            #expect(try mount.names("versions/latest/").isEmpty)
        }
    }

    @Test
    func `a sealed file that is open and unlinked keeps its bytes and takes new attributes`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "sealed")
            try mount.commit()
            let file = try mount.open("staging/a", O_RDONLY)
            try mount.unlink("staging/a")
            try Syscall.changeMode(file.fd, 0o600)
            #expect(try file.read(9) == "sealed")
            #expect(try file.status.st_mode & 0o777 == 0o600)
            #expect(try file.status.st_nlink == 0)
        }
    }

    @Test
    func `who reads a sealed file sees what another writes to it`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "sealed")
            try mount.commit()
            let reader = try mount.open("staging/a", O_RDONLY)
            #expect(try reader.read(9) == "sealed")
            let writer = try mount.open("staging/a", O_RDWR)
            try writer.write("SE", at: 0)
            #expect(try reader.read(9) == "SEaled")
            try Syscall.truncate(writer.fd, to: 1)
            #expect(try reader.read(9) == "S")
            #expect(try mount.read("versions/latest/a") == "sealed")
        }
    }

    @Test
    func `a hard link keeps its file in one piece when its other name goes while it is open`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.link("staging/a", "staging/b")
            try mount.remount()
            let file = try mount.open("staging/a", O_RDWR)
            try mount.unlink("staging/a")
            let same = try mount.open("staging/b", O_RDWR)
            try file.write("x", at: 0)
            #expect(try same.read(9) == "x")
            try same.write("y", at: 1)
            #expect(try file.read(9) == "xy")
            #expect(try file.status.st_ino == same.status.st_ino)
        }
    }

    @Test
    func `names of a hard link are files of their own after a commit`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "one")
            try mount.link("staging/a", "staging/b")
            #expect(try mount.status("staging/b").st_nlink == 2)
            try mount.commit()
            try mount.write("staging/a", "two")
            #expect(try mount.read("staging/b") == "one")
            #expect(try mount.status("staging/b").st_nlink == 1)
            #expect(try mount.read("versions/latest/b") == "one")
        }
    }
}
