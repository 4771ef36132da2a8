import Control
import Foundation
import Store
import TestSupport
import Testing

@testable import firn

/// The commands that mount and unmount, on real mounts.
@Suite(.enabled(if: geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0, "needs root and /dev/fuse"))
final class MountCommandTests {
    private let directory = TestDirectory()
    private var tool: Tool { Tool(directory: directory.path) }
    private var mountpoint: String { directory.appending("mnt") }

    init() throws {
        try tool.run("init", "store")
        try FileManager.default.createDirectory(atPath: mountpoint, withIntermediateDirectories: false)
    }

    deinit {
        // A test that failed must not leave its mount behind.
        _ = try? tool.run("unmount", "mnt", "--lazy")
    }

    private func shell(_ script: String) throws -> Shell.Outcome {
        try Shell.run("/bin/sh", "-c", "cd \(directory.path) && \(script)")
    }

    private var isMounted: Bool {
        (try? MountTable.read().mount(at: Array(mountpoint.utf8)))?.isFirn == true
    }

    @Test func `a mount can be used when the command ends, and is gone when unmount ends`() throws {
        let mounted = try tool.run("mount", "store", "mnt")
        #expect(mounted.status == 0, "\(mounted.errors)")
        #expect(isMounted)
        #expect(try shell("echo hello > mnt/staging/a && cat mnt/staging/a").text == "hello\n")
        let unmounted = try tool.run("unmount", "mnt")
        #expect(unmounted.status == 0, "\(unmounted.errors)")
        #expect(!isMounted)
        #expect(try !StoreOwnership.isOwned(directory.appending("store")))
        // What was staged is still there.
        #expect(try tool.run("status", "--store", "store", "--json").json["staging"]["entries"].integer == 1)
    }

    @Test func `commands find the mount they stand in, and what they change shows at once`() throws {
        try tool.run("mount", "store", "mnt")
        _ = try shell("mkdir mnt/staging/d && echo hello > mnt/staging/d/a")
        var inside = tool
        inside.directory = mountpoint + "/staging/d"
        let committed = try inside.run("commit", "-m", "from inside", "-t", "one")
        #expect(committed.status == 0, "\(committed.errors)")
        #expect(try shell("readlink mnt/versions/one").text == "v000001\n")
        try inside.run("tag", "two")
        #expect(try shell("ls mnt/versions").text.contains("two\n"))
        try inside.run("tag", "-d", "one")
        #expect(try shell("ls mnt/versions/one").status != 0)
        _ = try shell("echo changed > mnt/staging/d/a")
        #expect(try inside.run("restore", "two", "d/a", "--force").status == 0)
        #expect(try shell("cat mnt/staging/d/a").text == "hello\n")
        #expect(try tool.run("log", "--store", "mnt").output.contains("from inside"))
        #expect(
            try tool.run("status", "--store", "store", "--json").json["mount"]["mountpoint"].string
                == mountpoint)
        #expect(try tool.run("unmount", "store").status == 0)
    }

    @Test func `a store is mounted once, and a mountpoint used once`() throws {
        try tool.run("init", "other")
        _ = try shell("mkdir second")
        try tool.run("mount", "store", "mnt")
        let again = try tool.run("mount", "store", "second")
        #expect(again.status == 4)
        #expect(again.errors.contains("the store is mounted already"))
        #expect(again.errors.contains(mountpoint))
        let other = try tool.run("mount", "other", "mnt")
        #expect(other.status == 4)
        #expect(other.errors.contains("something is mounted here already"))
        #expect(try tool.run("unmount", "mnt").status == 0)
    }

    @Test func `a mount that is in use is left alone, and its users are named`() throws {
        try tool.run("mount", "store", "mnt")
        let user = Process()
        user.executableURL = URL(fileURLWithPath: "/bin/sleep")
        user.arguments = ["60"]
        user.currentDirectoryURL = URL(fileURLWithPath: mountpoint + "/staging")
        try user.run()
        let refused = try tool.run("unmount", "mnt")
        #expect(refused.status == 4)
        #expect(refused.errors.contains("sleep (\(user.processIdentifier): its working directory)"))
        #expect(isMounted)
        let detached = try tool.run("unmount", "mnt", "--lazy")
        #expect(detached.status == 0)
        #expect(!isMounted)
        // The threads that run tests block SIGTERM, and their children inherit that.
        kill(user.processIdentifier, SIGKILL)
        user.waitUntilExit()
        while try StoreOwnership.isOwned(directory.appending("store")) { usleep(2000) }
    }

    @Test func `a store is not made in the mount of another`() throws {
        try tool.run("mount", "store", "mnt")
        let refused = try tool.run("init", "mnt/staging/new")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("a store cannot lie in the mount of one"))
        #expect(try shell("ls mnt/staging").text == "")
        #expect(try tool.run("unmount", "mnt").status == 0)
    }

    @Test func `a supervisor that has ended shows, and then a dead mount says how to mount it again`() throws
    {
        try tool.run("mount", "store", "mnt")
        let owner = try #require(StoreOwnership.owner(directory.appending("store")))
        #expect(try tool.run("status", "--store", "store").output.contains(", supervised)"))
        kill(
            try #require(Int32(try shell("cut -d' ' -f4 /proc/\(owner)/stat").text.prefix { $0 != "\n" })),
            SIGKILL)
        let log = directory.appending("store/firn.log")
        let deadline = ContinuousClock.now + .seconds(10)
        while try !String(contentsOfFile: log, encoding: .utf8).contains("the supervisor has ended"),
            ContinuousClock.now < deadline
        { usleep(5000) }
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains("the supervisor has ended"))
        #expect(try tool.run("status", "--store", "store").output.contains("unsupervised)"))

        kill(owner, SIGKILL)
        while try StoreOwnership.isOwned(directory.appending("store")) { usleep(2000) }
        let dead = try tool.run("log", "--store", "mnt")
        #expect(dead.errors.contains("the mount has lost its daemon"))
        #expect(dead.errors.contains("firn mount \(directory.appending("store")) \(mountpoint)"))
        #expect(try tool.run("mount", "store", "mnt").status == 0)
        #expect(try tool.run("unmount", "mnt").status == 0)
    }

    @Test func `a dead daemon's mount is taken away by the next`() throws {
        try tool.run("mount", "store", "mnt", "--no-supervise")
        _ = try shell("echo kept > mnt/staging/a")
        let owner = try #require(StoreOwnership.owner(directory.appending("store")))
        kill(owner, SIGKILL)
        while try StoreOwnership.isOwned(directory.appending("store")) { usleep(2000) }
        #expect(try tool.run("commit", "--store", "store", "-m", "without a daemon").status == 0)
        let mounted = try tool.run("mount", "store", "mnt")
        #expect(mounted.status == 0, "\(mounted.errors)")
        #expect(try shell("cat mnt/versions/latest/a").text == "kept\n")
        #expect(try tool.run("unmount", "mnt").status == 0)
    }

    @Test func `mount(8) mounts by the helper's name`() throws {
        _ = try shell("ln -s \(Tool.path) mount.firn")
        let helper = try Shell.run(
            directory.appending("mount.firn"), directory.appending("store"), mountpoint, "-n", "-o",
            "rw,nofail,ro,x-systemd.automount")
        #expect(helper.status == 0, "\(String(decoding: helper.errors, as: UTF8.self))")
        #expect(try shell("touch mnt/staging/x").status != 0)
        let unmounted = try tool.run("unmount", "mnt")
        #expect(unmounted.status == 0, "\(unmounted.errors)")
        let refused = try Shell.run(directory.appending("mount.firn"), "/nowhere", mountpoint)
        #expect(refused.status == MountHelper.failureStatus)
        #expect(try Shell.run(directory.appending("mount.firn"), "/nowhere").status == 1)
    }

    @Test func `a start that fails in the daemon is told on the terminal`() throws {
        // Something that the checks before do not see: the store is owned by a process that does not listen.
        let store = try Store.open(at: directory.appending("store"), .owning)
        let refused = try tool.run("mount", "store", "mnt")
        #expect(refused.status == 4)
        #expect(
            refused.errors.hasPrefix("firn: \(directory.appending("store")): another process owns the store"))
        #expect(!isMounted)
        try store.close()
    }

    @Test func `a JSON document written to the mount commits`() throws {
        try tool.run("mount", "store", "mnt")
        _ = try shell("echo hello > mnt/staging/a")
        #expect(try shell("echo '{\"message\": \"by hand\", \"tag\": \"t\"}' > mnt/.firn/commit").status == 0)
        #expect(try shell("readlink mnt/versions/t").text == "v000001\n")
        #expect(try shell("echo '{\"mesage\": 1}' > mnt/.firn/commit").status != 0)
        #expect(try shell("cat mnt/.firn/last-commit").text.contains("did you mean 'message'?"))
        #expect(try tool.run("unmount", "mnt").status == 0)
    }
}
