import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport

/// Opens the store that a power cut left, as `firn mount` does, and looks whether it is what it must be.
struct StateCheck {
    let directory: String
    let expectation: Expectation
    private(set) var problems: [String] = []

    /// What is wrong with the store in `directory`; empty where nothing is.
    static func problems(in directory: String, _ expectation: Expectation) -> [String] {
        var check = StateCheck(directory: directory, expectation: expectation)
        do { try check.run() } catch { check.problems.append("\(error)") }
        return check.problems
    }

    private init(directory: String, expectation: Expectation) {
        self.directory = directory
        self.expectation = expectation
    }

    private var store: String { directory + "/store" }

    private mutating func run() throws {
        let fixture = try open()
        let present = try versions(fixture)
        try staging(fixture, present)
        try goOn(fixture, present.count)
    }

    private func open() throws -> StoreFixture {
        guard !expectation.isStore else { return try StoreFixture(opening: store) }
        do { return try StoreFixture(opening: store) } catch let error as StoreError
            where error.code == .notAStore
        {
            // An interrupted `firn init` can be done again.
            return try StoreFixture(at: store)
        }
    }

    private mutating func versions(_ fixture: StoreFixture) throws -> Set<Int64> {
        let versions = try fixture.store.versions()
        let present = Set(versions.map(\.number.value))
        for version in versions {
            let number = version.number.value
            guard let contents = expectation.versions[number] ?? expectation.mayAppear[number] else {
                problems.append("\(version.number) is there and should not be")
                continue
            }
            compare("\(version.number)", try fixture.contents(of: version), [contents])
        }
        let missing = Set(expectation.versions.keys).subtracting(present)
        if !missing.isEmpty, missing != Set(expectation.mayVanish) {
            problems.append("acknowledged versions are gone: \(missing.sorted())")
        }
        return present
    }

    private mutating func staging(_ fixture: StoreFixture, _ present: Set<Int64>) throws {
        let staged = try fixture.stagedContents()
        if let after = expectation.stagingIfAppeared,
            expectation.mayAppear.keys.allSatisfy({ present.contains($0) })
        {
            compare("staging after a commit", staged, [after])
        } else if let allowed = expectation.staging {
            compare("staging", staged, allowed)
        }
        for (path, contents) in expectation.paths {
            compare("the synced file", try fixture.stagedContents(at: TreePath(path.utf8)), [contents])
        }
    }

    /// Work goes on: the next commit seals what staging shows, and all of it is there for the next owner.
    private mutating func goOn(_ fixture: StoreFixture, _ count: Int) throws {
        try fixture.write("after the cut", Array("more".utf8))
        let staged = try fixture.stagedContents()
        let version = try fixture.commit("after the cut")
        compare("the next version", try fixture.contents(of: version), [staged])
        try fixture.reopen()
        compare("staging of the next owner", try fixture.stagedContents(), [staged])
        if try fixture.store.versions().count != count + 1 {
            problems.append("not all versions are there again")
        }
        let report = try fixture.store.verify()
        problems += report.problems.map { "verify: \($0)" }
        try fixture.close()
    }

    private mutating func compare(_ what: String, _ found: String, _ allowed: [String]) {
        if allowed.contains(found) { return }
        let found = Set(found.split(separator: "\n"))
        let wanted = Set(allowed[0].split(separator: "\n"))
        let lines =
            wanted.subtracting(found).sorted().map { "- \($0)" }
            + found.subtracting(wanted).sorted().map { "+ \($0)" }
        problems.append("\(what) is not what it was:\n    " + lines.prefix(6).joined(separator: "\n    "))
    }
}
