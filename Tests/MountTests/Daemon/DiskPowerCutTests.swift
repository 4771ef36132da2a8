import Foundation
import Glibc
import TestSupport
import Testing

/// A short run of `scripts/powercut.sh`, which cuts the power of a disk on which a daemon works.
@Suite(
    .enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"),
    .enabled(if: Disk.isPossible, "only root can make disks, of loop devices"))
struct DiskPowerCutTests {
    @Test
    func `what was acknowledged is on a disk whose power was cut, and the store on it works`() throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        var environment = ProcessInfo.processInfo.environment
        environment["FIRN"] = FirnProgram.path
        let script = root.appending(path: "scripts/powercut.sh").path
        let outcome = try Shell.run(
            [script, "0", "\(UInt16.random(in: 0 ... .max))", "ext4", "--load", "3", "--captures", "8"],
            environment: environment)
        #expect(outcome.status == 0, "\(outcome.text)\n\(outcome.complaints)")
        #expect(outcome.text.contains("8 cuts"), "\(outcome.text)")
    }
}
