import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// Power cuts at every moment of what a store's owner does. See ``PowerCut`` for what is taken to survive one.
///
/// FIRN_POWERCUT=N replays N states instead of a few hundred, FIRN_POWERCUT_SEED chooses others.
@Suite(.enabled(if: TestHost.isRoot, "only root can make the devices and attributes of staging anywhere"))
struct PowerCutTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let stateCount = environment["FIRN_POWERCUT"].flatMap { Int($0) } ?? 600
    private static let seed = environment["FIRN_POWERCUT_SEED"].flatMap { UInt64($0) } ?? 1

    /// In memory where that has extended attributes: syncs cost nothing there.
    private static let place: String? = {
        let memory = "/dev/shm"
        guard access(memory, W_OK) == 0 else { return nil }
        let probe = TestDirectory(below: memory)
        do throws(Errno) {
            try Syscall.setAttribute(RawPath(probe.path), RawPath("user.firn"), [0])
            return memory
        } catch { return nil }
    }()

    /// What a load did, and where its files lie.
    private static func record(in directory: TestDirectory) throws -> DiskRecord {
        let load = URL(fileURLWithPath: FirnProgram.path).deletingLastPathComponent().path + "/powercut-load"
        let disk = directory.appending("disk")
        let log = directory.appending("log")
        mkdir(disk, 0o700)
        // What it makes besides is gone with the rest; it ends without tidying up.
        var environment = PowerCutTests.environment
        environment["FIRN_TEST_DIRECTORY"] = directory.path
        let outcome = try Shell.run([load, disk, log, "\(seed)"], environment: environment)
        try #require(outcome.status == 0, "\(outcome.complaints)")
        return try DiskRecord(Data(contentsOf: URL(fileURLWithPath: log)))
    }

    @Test
    func `the record of what a store's owner does misses nothing`() throws {
        let directory = TestDirectory(below: PowerCutTests.place)
        let record = try PowerCutTests.record(in: directory)
        let all = PowerCut(record).state(after: record.steps.count, .all)
        let copy = directory.appending("copy")
        mkdir(copy, 0o700)
        try all.disk.materialize(at: copy)
        let ends = { (path: String) in
            var snapshot = try TreeSnapshot.read(path, since: Timestamp(nanoseconds: 0))
            snapshot.items = snapshot.items.filter { !DiskModel.isLeftOut($0.key.display) && $0.key != .here }
            return snapshot
        }
        let differences = try ends(directory.appending("disk")).differences(from: try ends(copy))
        #expect(differences.isEmpty, "\(differences.prefix(20).joined(separator: "\n"))")
    }

    @Test
    func
        `after a power cut every acknowledged version is there, and what was interrupted is whole or absent`()
        throws
    {
        let directory = TestDirectory(below: PowerCutTests.place)
        let cut = PowerCut(try PowerCutTests.record(in: directory))
        let replay = Replay(cut, in: directory.path)
        let failures = replay.run(stateCount: PowerCutTests.stateCount, seed: PowerCutTests.seed)
        print(
            "power cuts: \(replay.count) states of \(cut.record.steps.count) steps, \(failures.count) failed")
        for failure in failures.prefix(10) { Issue.record("\(failure)") }
        #expect(replay.count >= min(PowerCutTests.stateCount / 2, 300))
    }
}
