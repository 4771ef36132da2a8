import Objects
import TestSupport
import Testing

@testable import Store

@Suite struct ForgetTests {
    private let fixture: StoreFixture

    /// Five versions; the second has a tag and the third is pinned.
    init() throws {
        fixture = try StoreFixture()
        for number: UInt8 in 1...5 {
            try fixture.write("file", [number])
            try fixture.commit {
                if number == 2 { $0.tags = [try! TagName("good")] }
                $0.pins = number == 3
            }
        }
    }

    private func numbers() throws -> [Int64] { try fixture.store.versions().map(\.number.value) }

    @Test func `a plan changes nothing, and says why each version stays`() throws {
        var policy = RetentionPolicy()
        policy.keepLast = 1
        let plan = try fixture.store.planForget(policy)
        #expect(plan.forgotten.map(\.value) == [4, 1])
        #expect(
            plan.decisions.map(\.reasons) == [
                ["latest", "last version", "base of staging"], [], ["pinned"], ["tag good"], [],
            ])
        #expect(try numbers() == [1, 2, 3, 4, 5])
        #expect(try fixture.store.forget(plan).map(\.value) == [4, 1])
        #expect(try numbers() == [2, 3, 5])
    }

    @Test func `a version that was pinned after the plan was made stays`() throws {
        var policy = RetentionPolicy()
        policy.keepLast = 1
        let plan = try fixture.store.planForget(policy)
        try fixture.store.setPinned(VersionNumber(4), true)
        #expect(try fixture.store.forget(plan).map(\.value) == [1])
    }

    @Test func `a policy that keeps nothing is refused`() throws {
        #expect(code { _ = try fixture.store.planForget(RetentionPolicy()) } == .invalidInput)
    }

    @Test(arguments: [
        (Int64(5), "latest"), (3, "pinned"), (2, "the tag good"), (9, "no such version"),
    ])
    func `what is protected is not forgotten by name, nor anything with it`(
        number: Int64, why: String
    ) throws {
        let refused = error {
            try fixture.store.forget(versions: [VersionNumber(1), VersionNumber(number)])
        }
        #expect(refused?.message.contains(why) == true)
        #expect(refused?.hint.isEmpty == false)
        #expect(try numbers() == [1, 2, 3, 4, 5])
    }

    @Test func `a tagged version goes when its tag is named, and its tag with it`() throws {
        try fixture.store.forget(
            versions: [VersionNumber(2)], forgetTagged: [try TagPattern("go*")])
        #expect(try numbers() == [1, 3, 4, 5])
        #expect(try fixture.store.tags() == [:])
    }

    @Test func `the version that a workspace lies over stays`() throws {
        let other = try fixture.store.workspace("run-1")
        _ = try fixture.store.commit(other, CommitRequest.empty)
        let latest = try fixture.commit { $0.allowsEmpty = true }
        #expect(latest.number == VersionNumber(7))
        // staging lies over 7, run-1 over 6.
        let refused = error { try fixture.store.forget(versions: [VersionNumber(6)]) }
        #expect(refused?.message == "workspace run-1 lies over the version")
        var policy = RetentionPolicy()
        policy.keepLast = 1
        #expect(try fixture.store.planForget(policy).kept.map(\.value) == [7, 6, 3, 2])
    }

    @Test func `history goes on after its beginning is forgotten`() throws {
        try fixture.store.forget(versions: [VersionNumber(1), VersionNumber(4)])
        try fixture.reopen()
        try fixture.write("file", [6])
        #expect(try fixture.commit().number == VersionNumber(6))
        #expect(try fixture.store.verify().isClean)
    }
}

extension CommitRequest {
    /// Makes a version of nothing.
    static var empty: CommitRequest {
        var request = CommitRequest()
        request.allowsEmpty = true
        return request
    }
}
