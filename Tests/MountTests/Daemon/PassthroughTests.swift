import Foundation
import Glibc
import TestSupport
import Testing

/// `firn mount --passthrough`.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct PassthroughTests {
    private struct Status: Decodable {
        struct Mount: Decodable {
            let passthrough: Bool
            let choice: String

            enum CodingKeys: String, CodingKey {
                case passthrough
                case choice = "passthrough_choice"
            }
        }

        let mount: Mount
    }

    private func status(_ mount: MountedStore) throws -> Status.Mount {
        try JSONDecoder().decode(Status.self, from: Data(mount.run("status", "--json").utf8)).mount
    }

    /// Whether this kernel passes files of a store where tests make them.
    private static let isPossible: Bool = {
        guard MountedStore.isAvailable, geteuid() == 0 else { return false }
        return (try? MountedStore.with(options: ["--passthrough", "on"]) { _ in true }) ?? false
    }()

    /// Whether an overlayfs can be made where tests make their files: not where that is one itself.
    private static let canStack: Bool = {
        let directory = TestDirectory()
        return (try? Disk.overlay(below: directory.path)) != nil
    }()

    @Test(
        .enabled(if: isPossible, "needs root and a kernel with FUSE passthrough (Linux 6.9)"),
        arguments: ["on", "off", "auto"])
    func `the choice is kept, and shown, by every daemon of a mount`(choice: String) throws {
        try MountedStore.with(options: ["--passthrough", choice]) { mount in
            let file = open("\(mount.staging)/a", O_RDWR | O_CREAT, 0o644)
            defer { close(file) }
            #expect(write(file, "one", 3) == 3)
            for _ in 0..<2 {
                #expect(try status(mount).passthrough == (choice != "off"))
                #expect(try status(mount).choice == choice)
                try mount.crashDaemon()
                #expect(write(file, "more", 4) == 4)
            }
            #expect(try mount.read("staging/a") == "onemoremore")
            try mount.commit()
            #expect(try mount.read("versions/1/a") == "onemoremore")
        }
    }

    @Test(.enabled(if: isPossible, "needs root and a kernel with FUSE passthrough (Linux 6.9)"))
    func `fstab and mount(8) say it as an option, and the command line has the last word`() throws {
        try MountedStore.with(options: ["-o", "passthrough=off"]) { mount in
            let status = try status(mount)
            #expect(status.choice == "off")
        }
        try MountedStore.with(options: ["-o", "passthrough=off", "--passthrough", "on"]) { mount in
            let status = try status(mount)
            #expect(status.choice == "on" && status.passthrough)
        }
    }

    @Test(.enabled(if: MountedStore.isAvailableToAnyone, "an ordinary user cannot mount"))
    func `an ordinary user who insists is refused, and nothing is mounted`() throws {
        try MountedStore.with(as: "nobody") { mount in
            #expect(try status(mount).passthrough == false)
            try mount.unmount()
            let refused = try mount.firn("mount", mount.store, mount.mountpoint, "--passthrough", "on")
            try expectRefusal(refused, "only root may register files with the kernel", "mount as root", mount)
            try mount.mount()
        }
    }

    @Test(
        .enabled(
            if: isPossible && canStack,
            "needs passthrough, and overlayfs where tests make their files"))
    func `a store on a stacked filesystem is served by the daemon, and not at all to who insists`() throws {
        let directory = TestDirectory()
        let disk = try Disk.overlay(below: directory.path)
        try MountedStore.with(below: disk.path) { mount in
            #expect(try status(mount).passthrough == false)
            try mount.write("staging/a", "bytes")
            #expect(try mount.read("staging/a") == "bytes")
            try mount.unmount()
            for supervision in ["--supervise", "--no-supervise"] {
                let refused = try mount.firn(
                    "mount", mount.store, mount.mountpoint, "--passthrough", "on", supervision)
                try expectRefusal(refused, "lies on others", "on a disk of its own", mount)
            }
            try mount.mount()
            #expect(try mount.read("staging/a") == "bytes")
        }
    }

    private func expectRefusal(
        _ outcome: Shell.Outcome, _ reason: String, _ remedy: String, _ mount: MountedStore
    ) throws {
        #expect(outcome.status == 1, "\(outcome.complaints)")
        for part in [mount.mountpoint, reason, remedy, "--passthrough auto"] {
            #expect(outcome.complaints.contains(part), "\(outcome.complaints)")
        }
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
        #expect(!mounts.contains(mount.mountpoint))
    }
}
