import Foundation
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// Every operation, interrupted at each of its points: each call that changes the disk, and each transaction.
///
/// Each point is tried when it is first and when it is last reached, and with the errors that such a call has;
/// `FIRN_FAULTS=all` tries every time it is reached, and every error.
@Suite struct FaultTests {
    @Test(.enabled(if: TestHost.isRoot), arguments: FaultScenario.allCases)
    func `a process killed at any point leaves what was before or what is after`(
        scenario: FaultScenario
    ) throws {
        let range = try FaultRange(scenario)
        for step in range.steps where step.point.verb != .open {
            let copy = try range.copy()
            let status = try Spawn.run([
                FaultRange.program, copy.store, copy.source, scenario.rawValue, step.point.verb.rawValue,
                step.point.function, "\(step.after)",
            ])
            #expect(status == -SIGKILL, "\(step): status \(status)")
            let fixture = try StoreFixture(opening: copy.store)
            let state = try range.state(fixture)
            try range.expectOneOfBoth(state, "killed at \(step)")
            try range.expectRepeatable(fixture, from: state, "killed at \(step)")
        }
    }

    @Test(.enabled(if: TestHost.isRoot), arguments: FaultScenario.allCases)
    func `a point that fails leaves what was before or what is after`(scenario: FaultScenario) throws {
        let range = try FaultRange(scenario)
        for (step, errno) in range.failures {
            let copy = try range.copy()
            let what = "\(step) with \(errno)"
            let fixture = try StoreFixture(at: copy.store, opens: scenario != .recover)
            fixture.faults.failOnce(at: step.point, with: errno, after: step.after)
            var failure: StoreError?
            do { try scenario.run(fixture, source: copy.source) } catch { failure = error as? StoreError }
            fixture.faults.clear()
            if scenario == .recover, failure != nil {
                #expect(failure?.errno == errno, "\(what): \(failure?.description ?? "")")
                try fixture.open()
            }
            var state = try range.state(fixture)
            if state.withoutLinkCounts == range.after.withoutLinkCounts { state = range.after }
            try range.expectOneOfBoth(state, what)
            let isDone = state == range.after
            if failure == nil { #expect(isDone, "\(what) was no error") }

            // What the caller can do next: the same again, or, where the error says so, start anew.
            if scenario != .recover, !isDone || scenario.isRepeatable {
                do { try scenario.run(fixture, source: copy.source) } catch let error as StoreError {
                    #expect(error.hint.contains("mount again"), "\(what): \(error)")
                }
            }
            try fixture.reopen()
            let again = try range.state(fixture)
            try range.expectOneOfBoth(again, "reopened after \(what)")
            try range.expectRepeatable(fixture, from: again, "after \(what)")
        }
    }
}

/// One scenario's store before and after, and the points between.
private struct FaultRange {
    struct Step: CustomStringConvertible {
        let point: FaultPoint
        /// How often it is passed first.
        let after: Int

        var description: String { after == 0 ? "\(point)" : "\(point) (\(after + 1))" }
    }

    struct Copy {
        let directory: TestDirectory
        var store: String { directory.appending("store") }
        var source: String { directory.appending("source") }
    }

    let scenario: FaultScenario
    let before: StoreState
    let after: StoreState
    let steps: [Step]
    private let template = TestDirectory(below: FaultRange.place)

    static let program = FirnProgram.built("FaultProcess")

    /// In memory where that has all a store needs: most of the time goes into making and opening stores.
    private static let place: String? = {
        let memory = "/dev/shm"
        let directory = TestDirectory(below: access(memory, W_OK) == 0 ? memory : nil)
        let isEnough = (try? Store.create(at: directory.appending("store"), now: TestClock.start)) != nil
        return isEnough ? memory : nil
    }()

    init(_ scenario: FaultScenario) throws {
        self.scenario = scenario
        let fixture = try StoreFixture(at: template.appending("store"))
        try scenario.prepare(fixture, source: template.appending("source"))
        try fixture.close()

        let seen = try FaultRange.copy(of: template)
        let calm = try StoreFixture(at: seen.store, opens: scenario != .recover)
        let hasTimes = !scenario.hasTimesOfItsOwn
        let unchanged = scenario == .recover ? nil : try calm.state(hasTimes: hasTimes)
        try scenario.run(calm, source: seen.source)
        let reached = calm.faults.reached
        after = try calm.state(hasTimes: hasTimes)
        before = unchanged ?? after
        try calm.close()

        var counts: [FaultPoint: Int] = [:]
        for point in reached { counts[point, default: 0] += 1 }
        steps = counts.sorted { "\($0.key)" < "\($1.key)" }.flatMap { point, count in
            (FaultRange.isThorough ? Array(0..<count) : Array(Set([0, count - 1])).sorted()).map {
                Step(point: point, after: $0)
            }
        }
        try #require(!steps.isEmpty)
        if FaultRange.isThorough {
            let kills = steps.count { $0.point.verb != .open }
            print("\(scenario): \(counts.count) points; \(kills) kills, \(failures.count) failures to try")
        }
    }

    /// Each step with the errors it is to fail with.
    var failures: [(step: Step, errno: Errno)] {
        steps.flatMap { step in
            FaultRange.errors(of: step.point.verb).map { (step, $0) }
        }
    }

    private static func errors(of verb: FaultPoint.Verb) -> [Errno] {
        if isThorough { return [.ioError, .noSpace, .tooManyOpenFiles] }
        return switch verb {
        case .open, .begin: [.tooManyOpenFiles]
        case .create: [.ioError, .noSpace, .tooManyOpenFiles]
        case .truncate, .unlink, .removeDirectory, .removeAttribute, .changeMode, .changeOwner, .changeTimes:
            [.ioError]
        default: [.ioError, .noSpace]
        }
    }

    private static let isThorough = ProcessInfo.processInfo.environment["FIRN_FAULTS"] == "all"

    func state(_ fixture: StoreFixture) throws -> StoreState {
        try fixture.state(hasTimes: !scenario.hasTimesOfItsOwn)
    }

    func copy() throws -> Copy { try FaultRange.copy(of: template) }

    private static func copy(of template: TestDirectory) throws -> Copy {
        let directory = TestDirectory(below: place)
        let status = try Spawn.run(["/bin/cp", "-a", template.path + "/.", directory.path])
        try #require(status == 0)
        return Copy(directory: directory)
    }

    func expectOneOfBoth(_ state: StoreState, _ what: String) throws {
        guard state != before, state != after else { return }
        Issue.record(
            """
            \(scenario), \(what): neither before (\(state.differences(from: before))) \
            nor after (\(state.differences(from: after)))
            """)
    }

    /// From either state the operation leads to the second, and nothing is left over.
    func expectRepeatable(_ fixture: StoreFixture, from state: StoreState, _ what: String) throws {
        if state != after || (scenario.isRepeatable && scenario != .recover) {
            try scenario.run(fixture, source: template.appending("source"))
        }
        let done = try self.state(fixture)
        let isSame = done == after
        #expect(isSame, "\(scenario), \(what), again: \(done.differences(from: after))")
        let leftovers = try fixture.leftovers()
        #expect(leftovers == [], "\(scenario), \(what)")
        try fixture.close()
    }
}
