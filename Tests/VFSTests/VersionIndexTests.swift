import Objects
import Store
import TestSupport
import Testing

@testable import VFS

/// What `versions/` shows after a commit, without reading all versions again.
struct VersionIndexTests {
    private let fixture: StoreFixture
    private let index: VersionIndex

    init() throws {
        fixture = try StoreFixture(["a": [1]])
        index = VersionIndex(fixture.store)
    }

    private func commit(_ tags: String...) throws -> Version {
        try fixture.write("a", [UInt8.random(in: .min ... .max), 0, UInt8.random(in: .min ... .max)])
        let names = try tags.map { try TagName($0) }
        return try fixture.commit("", { ($0.tags, $0.movesTags, $0.allowsEmpty) = (names, true, true) })
    }

    /// That the index says what one says that reads everything.
    private func expectCurrent(_ comment: Comment) throws {
        let (shown, fresh) = (try index.snapshot(), try VersionIndex(fixture.store).snapshot())
        #expect(shown.versions.map(\.number) == fresh.versions.map(\.number), comment)
        #expect(shown.versions.map(\.digest) == fresh.versions.map(\.digest), comment)
        #expect(shown.versions.map(\.root) == fresh.versions.map(\.root), comment)
        #expect(shown.tags == fresh.tags, comment)
    }

    @Test func `a version that a commit adds is shown, with the tags that it has taken`() throws {
        #expect(try index.snapshot().latest == nil)
        let first = try commit("best", "old")
        index.invalidate(added: first)
        try expectCurrent("the first version")
        index.invalidate(added: try commit("best"))
        try expectCurrent("a tag that moved")
        #expect(try index.snapshot()[first.number]?.digest == first.digest)
        #expect(try index.snapshot()[VersionNumber(7)] == nil)
    }

    @Test func `versions are shown whole whatever order their hooks come in`() throws {
        _ = try index.snapshot()
        let (first, second) = (try commit("t"), try commit("t"))
        index.invalidate(added: second)
        try expectCurrent("the later one first")
        index.invalidate(added: first)
        try expectCurrent("then the earlier one")
        let third = try commit()
        try fixture.store.forget(versions: [first.number])
        index.invalidate()
        index.invalidate(added: third)
        try expectCurrent("one that was forgotten meanwhile")
    }

    @Test func `what was shown meanwhile is compared with what is shown from then on`() throws {
        _ = try index.takeShown()
        index.invalidate(added: try commit("t"))
        _ = try index.snapshot()
        let second = try commit()
        index.invalidate(added: second)
        let taken = try index.takeShown()
        #expect(taken.before.contains { $0.tags["t"] == VersionNumber(1) })
        #expect(taken.now.latest?.number == second.number)
        #expect(try index.takeShown().before.map(\.latest?.number) == [second.number])
    }
}
