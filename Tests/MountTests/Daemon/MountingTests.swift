import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct MountingTests {

    @Test
    func `the mount can be used when the command ends, and is gone when unmount ends`() throws {
        try MountedStore.with { mount in
            #expect(try mount.names("") == [".firn", "staging", "versions"])
            try mount.write("staging/a", "1")
            try mount.unmount()
            #expect(try mount.names("").isEmpty)
            try mount.mount()
            #expect(try mount.read("staging/a") == "1")
        }
    }

    @Test
    func `a second daemon on a store is refused, and so is a second mount on a mountpoint`() throws {
        try MountedStore.with { mount in
            let other = mount.directory.appending("other")
            mkdir(other, 0o755)
            let second = try mount.firn("mount", mount.store, other)
            #expect(second.status == 4)
            #expect(
                second.complaints.contains("mounted already") && second.complaints.contains(mount.mountpoint))
            let store = mount.directory.appending("second")
            try mount.run("init", store)
            let busy = try mount.firn("mount", store, mount.mountpoint)
            #expect(busy.status == 4)
            #expect(busy.complaints.contains(mount.store))
            #expect(try mount.names("") == [".firn", "staging", "versions"])
        }
    }

    @Test
    func `a mountpoint that is not an empty directory is refused`() throws {
        try MountedStore.with { mount in
            try mount.unmount()
            for (name, make) in [("none", ""), ("file", "touch"), ("full", "mkdir -p full/x; true")] {
                let path = mount.directory.appending(name)
                _ = try Shell.run(["/bin/sh", "-c", "cd $0; \(make) \(name)", mount.directory.path])
                let outcome = try mount.firn("mount", mount.store, path)
                #expect(outcome.status == 1, "\(name): \(outcome.complaints)")
                #expect(outcome.complaints.contains(path), "\(name): \(outcome.complaints)")
            }
            let below = try mount.firn("mount", mount.store, mount.store + "/tmp")
            #expect(below.status == 1)
        }
    }

    @Test
    func `what is no store, or a newer one, is refused`() throws {
        try MountedStore.with { mount in
            try mount.unmount()
            let none = try mount.firn("mount", mount.directory.path, mount.mountpoint)
            #expect(none.status == 1)
            #expect(
                none.complaints.contains("not a store") || none.complaints.contains("no store"),
                "\(none.complaints)")
            let file = mount.store + "/firn.json"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            let newer = text.replacing(/("format"\s*:\s*)\d+/) { "\($0.output.1)999" }
            try #require(newer != text)
            try newer.write(toFile: file, atomically: false, encoding: .utf8)
            let refused = try mount.firn("mount", mount.store, mount.mountpoint)
            #expect(refused.status == 1)
            #expect(
                refused.complaints.contains("newer") || refused.complaints.contains("999"),
                "\(refused.complaints)")
            try text.write(toFile: file, atomically: false, encoding: .utf8)
        }
    }

    @Test
    func `an unmount of a mount in use is refused and names who uses it`() throws {
        try MountedStore.with { mount in
            var file: Descriptor? = try mount.open("staging/a", O_CREAT | O_RDWR)
            let outcome = try mount.firn("unmount", mount.mountpoint)
            #expect(outcome.status == 4)
            #expect(outcome.complaints.contains(String(getpid())), "\(outcome.complaints)")
            try file?.write("still here", at: 0)
            file = nil
            #expect(try mount.read("staging/a") == "still here")
        }
    }

    @Test(
        .enabled(
            if: MountedStore.isAvailableToAnyone,
            "only root may act as others, and /dev/fuse must be open to them (chmod 666 /dev/fuse)"))
    func `an ordinary user mounts through fusermount3, and what it writes is its own`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = """
                set -e; cd \(mount.staging); echo 1 > a; mkdir d; mv a d/b; ln -s b d/l; chmod 600 d/b
                python3 -c 'import mmap, os; f = os.open("d/b", os.O_RDWR); mmap.mmap(f, 2)[0:1] = b"2"'
                """
            let outcome = try Shell.run(Shell.command(["/bin/sh", "-c", script], as: "nobody"))
            #expect(outcome.status == 0, "\(outcome.complaints)")
            try mount.run("commit", "-m", "mine")
            try mount.remount()
            let sh = { (script: String) throws in
                try Shell.run(
                    Shell.command(["/bin/sh", "-c", "cd \(mount.mountpoint); \(script)"], as: "nobody"))
            }
            #expect(try sh("cat versions/latest/d/b").text == "2\n")
            #expect(try sh("stat -c %u:%a staging/d/b versions/latest/d/b").text == "65534:600\n65534:600\n")
            #expect(try sh("echo 3 > staging/d/b; rm staging/d/l; cat staging/d/l").status != 0)
            // Nobody else gets in, not even root: no --allow-other.
            #expect(failure { () throws(Errno) in _ = try mount.status("staging") } != nil)
            try mount.run("commit")
            #expect(try sh("cat versions/2/d/b").text == "3\n")
        }
    }

    @Test
    func `a store on a read-only disk is refused for writing`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "1")
            try mount.unmount()
            let disk = try #require(try? Disk.bind(mount.store, mount.directory.appending("readonly")))
            let outcome = try mount.firn("mount", disk.path, mount.mountpoint)
            #expect(outcome.status == 1)
            #expect(outcome.complaints.lowercased().contains("read-only"), "\(outcome.complaints)")
        }
    }
}
