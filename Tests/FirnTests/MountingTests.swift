import Control
import Store
import SystemPackage
import TestSupport
import Testing

@testable import firn

@Suite struct MountingTests {
    private let table = MountTable(
        parsing: Array(
            """
            22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
            40 22 0:45 / /mnt/a\\040b rw,nosuid - fuse.firn /srv/my\\040store rw,user_id=0
            41 22 0:46 / /mnt/x rw - tmpfs none rw
            42 41 0:47 / /mnt/x rw master:3 propagate_from:2 - fuse.firn /srv/other rw
            nonsense
            43 22 0:48 / /half
            """.utf8))

    @Test func `the mount table is read, escapes and optional fields too`() {
        #expect(table.entries.count == 4)
        let mount = table.mount(at: Array("/mnt/a b".utf8))
        #expect(mount?.isFirn == true)
        #expect(mount?.source == Array("/srv/my store".utf8))
        #expect(table.mount(at: Array("/mnt".utf8)) == nil)
    }

    @Test func `of two mounts on one directory the upper one shows`() {
        #expect(table.mount(at: Array("/mnt/x".utf8))?.type == "fuse.firn")
        #expect(table.mounts(of: Array("/srv/other".utf8)).count == 1)
    }

    @Test func `paths are as the mount table has them`() throws {
        let directory = TestDirectory()
        _ = try Shell.run("/bin/ln", "-s", directory.path, directory.appending("link"))
        #expect(try RealPath.of(Array("\(directory.path)/link/".utf8)) == Array(directory.path.utf8))
        #expect(throws: Errno.noSuchFileOrDirectory) { try RealPath.of(Array("\(directory.path)/no/x".utf8)) }
        #expect(try RealPath.of([UInt8(ascii: "/")]) == [UInt8(ascii: "/")])
    }

    @Test func `mount options are understood, passed over or refused by name`() throws {
        let options = try MountOptionList(
            "rw,ro,allow_other,_netdev,nofail,x-systemd.automount,comment=x,", isSloppy: false)
        #expect(options.isReadOnly && options.allowsOther && !options.isDebugging)
        #expect(try MountOptionList("ro,rw", isSloppy: false).isReadOnly == false)
        #expect {
            try MountOptionList("ro,nonempty", isSloppy: false)
        } throws: { ($0 as? StoreError)?.subject == "nonempty" }
        #expect(throws: Never.self) { try MountOptionList("ro,nonempty", isSloppy: true) }
        #expect(options.passthrough == nil)
        #expect(try MountOptionList("passthrough=off,ro,passthrough=on", isSloppy: false).passthrough == .on)
        #expect {
            try MountOptionList("passthrough=yes", isSloppy: true)
        } throws: { ($0 as? StoreError)?.subject == "passthrough=yes" }
    }

    @Test func `mount(8) may put options anywhere`() throws {
        let helper = try MountHelper(["/srv/firn", "/mnt", "-sn", "-o", "ro,allow_other", "-v", "-odebug"])
        #expect(helper.words == ["/srv/firn", "/mnt"])
        #expect(helper.options == ["ro,allow_other", "debug"])
        #expect(helper.isSloppy && !helper.isFake)
        #expect(try MountHelper(["-f", "a", "b"]).isFake)
        #expect(throws: UsageError.self) { try MountHelper(["a", "b", "-o"]) }
        #expect(throws: UsageError.self) { try MountHelper(["a", "b", "-q"]) }
        #expect(MountHelper.isCalled("/sbin/mount.firn") && !MountHelper.isCalled("/usr/bin/firn"))
    }

    @Test func `ordinary users may let others in where the system says so`() {
        #expect(FuseAccess.permitsOthers(Array("# x\n  user_allow_other\n".utf8)))
        #expect(!FuseAccess.permitsOthers(Array("#user_allow_other\nmount_max = 9\n".utf8)))
    }

    private func refusal(_ mountpoint: String, store: String = "/srv/firn") -> StoreError? {
        do throws(StoreError) {
            _ = try Mountpoint.prepare(mountpoint, for: store)
            return nil
        } catch { return error }
    }

    @Test func `a mountpoint that cannot be one is refused with its reason`() throws {
        let directory = TestDirectory()
        _ = try Shell.run(
            "/bin/sh", "-c", "cd \(directory.path) && mkdir full empty store && touch full/x file")
        #expect(refusal(directory.appending("empty"))?.description == nil)
        #expect(refusal(directory.appending("none"))?.message == "the mountpoint does not exist")
        #expect(refusal(directory.appending("file"))?.message == "the mountpoint is not a directory")
        #expect(
            refusal(directory.appending("full"))?.message.hasPrefix("the mountpoint is not empty") == true)
        #expect(refusal("/proc")?.code == .busy)
        let store = directory.appending("store")
        #expect(refusal(directory.path, store: store)?.message.hasPrefix("the store lies below") == true)
        #expect(refusal(store, store: store)?.message.hasPrefix("the store lies below") == true)
        let inside = "\(store)/mnt"
        _ = try Shell.run("/bin/mkdir", inside)
        #expect(refusal(inside, store: store)?.message == "the mountpoint lies in the store")
    }
}
