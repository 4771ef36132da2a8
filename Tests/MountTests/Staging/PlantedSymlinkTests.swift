import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// A symlink in staging is bytes to the daemon, whoever put it there and whenever.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct PlantedSymlinkTests {
    private let outside = TestDirectory()

    /// Files with the names of those in staging, which nobody may open.
    init() throws {
        for name in ["f0", "f1", "f2", "new", "deep/f0"] {
            let path = outside.appending(name)
            try FileManager.default.createDirectory(
                atPath: URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false),
                withIntermediateDirectories: true)
            try Data("precious".utf8).write(to: URL(filePath: path))
        }
    }

    /// Notices whoever opens, reads, lists or changes anything in a directory.
    private final class Watch {
        private let fd = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))

        init(_ paths: String...) {
            // IN_ALL_EVENTS
            for path in paths { inotify_add_watch(fd, path, 0xfff) }
        }

        /// How many bytes of events there are.
        var noticed: Int {
            var buffer = [UInt8](repeating: 0, count: 4096)
            return max(0, read(fd, &buffer, buffer.count))
        }

        deinit { close(fd) }
    }

    @Test func `directories that are swapped for symlinks under load lead nowhere`() throws {
        let before = try TreeSnapshot.read(outside.path)
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.makeDirectory("staging/d/deep")
            for name in ["f0", "f1", "f2", "deep/f0"] {
                try mount.write("staging/d/\(name)", "staged \(name)")
            }
            try mount.commit()
            let watch = Watch(outside.path, outside.appending("deep"))
            let swapping = Lock(true)
            let threads = DispatchGroup()
            let errors = Lock<[String]>([])
            let work = { (body: @escaping @Sendable (Int) throws(Errno) -> Void) in
                DispatchQueue.global().async(group: threads) {
                    var round = 0
                    while swapping.withLock({ $0 }) {
                        do throws(Errno) { try body(round) } catch {
                            let expected: [Errno] = [
                                .noSuchFileOrDirectory, .tooManySymbolicLinkLevels, .notDirectory,
                                .fileExists,
                                .staleNFSFileHandle, .noData,
                            ]
                            if !expected.contains(error) { errors.withLock { $0.append("\(error)") } }
                        }
                        round += 1
                    }
                }
            }
            let staging = try Syscall.open(at: AT_FDCWD, RawPath(mount.staging), O_RDONLY | O_DIRECTORY)
            // The calls of a program that does not follow symlinks itself: what then leads outside is the daemon.
            work { round throws(Errno) in
                let file = try Syscall.open(at: staging.fd, RawPath("d/f\(round % 3)"), O_RDWR)
                try file.write("rewritten \(round)", at: 0)
            }
            work { round throws(Errno) in
                let path = RawPath("d/deep/new")
                try Syscall.link(at: staging.fd, RawPath("d/deep/f0"), to: staging.fd, path)
                try Syscall.changeMode(at: staging.fd, path, 0o600 + mode_t(round % 2))
                _ = try Syscall.names(at: staging.fd, RawPath("d/deep"))
                try Syscall.unlink(at: staging.fd, path)
            }
            // These walk all of staging, and in part without holding anyone up.
            let control = mount.control
            DispatchQueue.global().async(group: threads) {
                while swapping.withLock({ $0 }) {
                    if let commit = try? Syscall.open(at: AT_FDCWD, RawPath(control + "/commit"), O_WRONLY) {
                        try? commit.write(#"{"allow_empty": true}"#, at: 0)
                    }
                    _ = FileManager.default.contents(atPath: control + "/status")
                }
            }
            for round in 0..<400 {
                let link = round % 2 == 0 ? outside.path : "../../outside"
                try mount.rename("staging/d", "staging/real")
                try Syscall.makeSymlink(at: staging.fd, RawPath("d"), target: RawPath(link))
                try mount.unlink("staging/d")
                try mount.rename("staging/real", "staging/d")
            }
            swapping.withLock { $0 = false }
            threads.wait()
            #expect(errors.withLock { $0 } == [])
            #expect(watch.noticed == 0)
            try mount.commit(#"{"allow_empty": true}"#)
            try mount.run("verify")
            // Nor did the bytes outside get into the store by any way.
            let digest = Digest.of(Array("precious".utf8)).hex
            let object = "\(mount.store)/objects/\(digest.prefix(2))/\(digest.dropFirst(2))"
            #expect(access(object, F_OK) != 0)
        }
        #expect(try TreeSnapshot.read(outside.path) == before)
    }

    @Test(.enabled(if: TestHost.isRoot))
    func `what the store's owner puts in its place while a daemon runs leads nowhere`() throws {
        let before = try TreeSnapshot.read(outside.path)
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.makeDirectory("staging/d/deep")
            for name in ["f0", "deep/f0"] { try mount.write("staging/d/\(name)", "staged") }
            let upper = "\(mount.store)/workspaces/main/upper"
            _ = try mount.read("staging/d/f0")
            let watch = Watch(outside.path, outside.appending("deep"))
            let replace = { (path: String) throws in
                let outcome = try Shell.run(
                    "/bin/sh", "-ec", "mv '\(path)' '\(path).away'; ln -s '\(outside.path)' '\(path)'")
                try #require(outcome.status == 0)
            }
            try replace(upper + "/d")
            // The kernel goes on believing in the directory; the daemon must not.
            #expect((try? mount.read("staging/d/f0")) != "precious")
            _ = try? mount.write("staging/d/f0", "evil")
            // To where the directory lies now, or nowhere; outside nothing may change, which is looked at in the end.
            _ = try? mount.write("staging/d/created", "evil")
            _ = try? mount.unlink("staging/d/deep/f0")
            _ = try? mount.rename("staging/d/f0", "staging/taken")
            _ = chmod("\(mount.staging)/d/f0", 0o777)
            _ = try? mount.names("staging/d")
            // Every directory for objects that a commit would put something into.
            let prefixes = (0..<256).map { String(format: "%02x", $0) }
            for prefix in prefixes {
                let path = "\(mount.store)/objects/\(prefix)"
                if access(path, F_OK) != 0 { symlink(outside.path, path) }
            }
            try mount.write("staging/file", "to be sealed")
            #expect(mount.commitStatus("{}") != 0)
            _ = try mount.firn("gc")
            _ = try mount.firn("status")
            #expect(watch.noticed == 0)
        }
        #expect(try TreeSnapshot.read(outside.path) == before)
    }
}
