import Objects
import TestSupport
import Testing

@testable import Store

@Suite struct ResolveTests {
    private func fixture(versions count: Int) throws -> StoreFixture {
        let fixture = try StoreFixture()
        for number in 0..<count {
            try fixture.write("file", [UInt8(number)])
            try fixture.commit()
        }
        return fixture
    }

    private func number(_ text: String, _ fixture: StoreFixture) throws -> Int64 {
        try fixture.store.resolve(text).number.value
    }

    @Test func `numbers, latest, tags and digests name versions`() throws {
        let fixture = try fixture(versions: 3)
        try fixture.store.setTag(TagName("good"), to: VersionNumber(2), moves: false)
        #expect(try number("latest", fixture) == 3)
        #expect(try number("1", fixture) == 1)
        #expect(try number("v000002", fixture) == 2)
        #expect(try number("good", fixture) == 2)
        let digest = try #require(try fixture.store.version(VersionNumber(1))).digest
        #expect(try number(String(digest.hex.prefix(24)), fixture) == 1)
        #expect(try number(digest.hex.uppercased(), fixture) == 1)
    }

    @Test func `a tag is found before a digest that begins so`() throws {
        let fixture = try fixture(versions: 2)
        let prefix = "a" + String(try #require(try fixture.store.latest()).digest.hex.prefix(7))
        try fixture.store.setTag(TagName(prefix), to: VersionNumber(1), moves: false)
        #expect(try number(prefix, fixture) == 1)
    }

    @Test func `steps back count only versions that are kept`() throws {
        let fixture = try fixture(versions: 5)
        try fixture.store.setTag(TagName("good"), to: VersionNumber(4), moves: false)
        #expect(try number("latest~1", fixture) == 4)
        try fixture.store.forget(versions: [VersionNumber(2), VersionNumber(3)])
        #expect(try number("latest~2", fixture) == 1)
        #expect(try number("good~1", fixture) == 1)
        #expect(try number("4~0", fixture) == 4)
        let beyond = error { _ = try fixture.store.resolve("latest~3") }
        #expect(beyond?.code == .unknownVersion)
        #expect(beyond?.hint == "the oldest that is kept is v000001")
    }

    @Test func `a time names the newest version of before its end`() throws {
        let fixture = try StoreFixture()
        // 20 November 2026, 23:59:59, and the second after.
        for seconds: Int64 in [1_795_219_199, 1_795_219_200] {
            fixture.clock.set(Timestamp(seconds: seconds, nanoseconds: 500))
            try fixture.commit { $0.allowsEmpty = true }
        }
        #expect(try number("@2026-11-20", fixture) == 1)
        #expect(try number("@2026-11-21", fixture) == 2)
        #expect(try number("@2026-11-20T23:59:59Z", fixture) == 1)
        #expect(code { _ = try fixture.store.resolve("@2026-11-19") } == .unknownVersion)
    }

    @Test func `a digest prefix that several versions have is refused with the candidates`() throws {
        let fixture = try StoreFixture()
        // Among 1,200 versions two are as good as sure to share 4 digits.
        var numbers: [Substring: [VersionNumber]] = [:]
        var shared: Substring?
        for _ in 0..<1_200 where shared == nil {
            let version = try fixture.commit { $0.allowsEmpty = true }
            let prefix = version.digest.hex.prefix(4)
            // All digits would be a version's number.
            guard !prefix.allSatisfy(\.isNumber) else { continue }
            numbers[prefix, default: []].append(version.number)
            if (numbers[prefix] ?? []).count > 1 { shared = prefix }
        }
        let prefix = try #require(shared)
        let ambiguous = try #require(error { _ = try fixture.store.resolve(String(prefix)) })
        #expect(ambiguous.code == .ambiguousVersion)
        for number in numbers[prefix] ?? [] { #expect(ambiguous.hint.contains(number.description)) }
    }

    @Test func `an unknown version is refused with what may have been meant`() throws {
        let fixture = try fixture(versions: 2)
        try fixture.store.setTag(TagName("nightly-2026"), to: VersionNumber(1), moves: false)
        let tag = error { _ = try fixture.store.resolve("nightly-2025") }
        #expect(tag?.code == .unknownVersion)
        #expect(tag?.hint == "did you mean nightly-2026?")
        #expect(error { _ = try fixture.store.resolve("latset") }?.hint == "did you mean latest?")
        #expect(error { _ = try fixture.store.resolve("7") }?.message == "there is no such version")
        #expect(code { _ = try fixture.store.resolve("feedbeefcafe") } == .unknownVersion)
        #expect(code { _ = try fixture.store.resolve("no such") } == .invalidInput)
    }

    @Test func `a forgotten version is said to be forgotten`() throws {
        let fixture = try fixture(versions: 2)
        try fixture.store.forget(versions: [VersionNumber(1)])
        let forgotten = error { _ = try fixture.store.resolve("1") }
        #expect(forgotten?.message == "the version has been forgotten")
    }

    @Test func `a store without versions says so`() throws {
        let none = error { _ = try StoreFixture().store.resolve("latest") }
        #expect(none?.message == "the store has no version yet")
    }
}

@Suite struct TagAndNoteTests {
    private let tag = try! TagName("good")

    private func fixture() throws -> StoreFixture {
        let fixture = try StoreFixture(["a": [1]])
        try fixture.commit { $0.tags = [try! TagName("first")] }
        try fixture.commit { $0.allowsEmpty = true }
        return fixture
    }

    @Test func `a tag stays where it is unless it is told to move`() throws {
        let fixture = try fixture()
        let store = fixture.store
        try store.setTag(tag, to: VersionNumber(1), moves: false)
        let taken = error { try store.setTag(tag, to: VersionNumber(2), moves: false) }
        #expect(taken?.code == .tagExists)
        try store.setTag(tag, to: VersionNumber(2), moves: true)
        #expect(try store.tags() == ["first": VersionNumber(1), "good": VersionNumber(2)])
        #expect(try store.version(VersionNumber(2))?.tags == ["good"])
    }

    @Test func `a commit whose tag is taken makes no version`() throws {
        let fixture = try fixture()
        try fixture.write("b", [2])
        #expect(code { try fixture.commit { $0.tags = [try! TagName("first")] } } == .tagExists)
        #expect(try fixture.store.versions().count == 2)
        #expect(try fixture.staged() == ["a", "b"])
        let moved = try fixture.commit {
            $0.tags = [try! TagName("first")]
            $0.movesTags = true
        }
        #expect(moved.tags == ["first"])
        #expect(try fixture.store.tags() == ["first": VersionNumber(3)])
    }

    @Test func `a tag on no version, and a tag that is not there`() throws {
        let fixture = try fixture()
        #expect(code { try fixture.store.setTag(tag, to: VersionNumber(9), moves: true) } == .unknownVersion)
        let unknown = error { try fixture.store.removeTag("fist") }
        #expect(unknown?.code == .unknownTag)
        #expect(unknown?.hint == "did you mean first?")
        try fixture.store.removeTag("first")
        #expect(try fixture.store.tags() == [:])
    }

    @Test func `pins are kept`() throws {
        let fixture = try fixture()
        try fixture.store.setPinned(VersionNumber(1), true)
        try fixture.reopen()
        #expect(try fixture.store.versions().map(\.isPinned) == [true, false])
        try fixture.store.setPinned(VersionNumber(1), false)
        #expect(try fixture.store.version(VersionNumber(1))?.isPinned == false)
        #expect(code { try fixture.store.setPinned(VersionNumber(9), true) } == .unknownVersion)
    }

    @Test func `notes are added in order and leave the digest as it is`() throws {
        let fixture = try fixture()
        let before = try fixture.store.version(VersionNumber(1))
        try fixture.store.annotate(
            VersionNumber(1), [("review", "fine"), ("review", "after all not")], author: "ivo")
        #expect(
            try fixture.store.annotations(of: VersionNumber(1)).map { "\($0.author) \($0.key) \($0.value)" }
                == ["ivo review fine", "ivo review after all not"])
        #expect(try fixture.store.version(VersionNumber(1)) == before)
        #expect(
            code { try fixture.store.annotate(VersionNumber(1), [("ok", ""), ("", "x")], author: "") }
                == .invalidInput)
        let note = [(key: "ok", value: "")]
        #expect(
            code { try fixture.store.annotate(VersionNumber(9), note, author: "") } == .unknownVersion)
        #expect(try fixture.store.annotations(of: VersionNumber(1)).count == 2)
    }

    @Test func `a metric that is no number is refused before anything is sealed`() throws {
        let fixture = try fixture()
        try fixture.write("b", [2])
        #expect(code { try fixture.commit { $0.metadata.metrics["auc"] = .nan } } == .invalidInput)
        #expect(try fixture.store.versions().count == 2)
    }

    @Test func `totals count versions, tags and bytes, shared ones once`() throws {
        let fixture = try StoreFixture(["a": [1, 2, 3], "b": [1, 2, 3], "c": [4]])
        try fixture.commit { $0.tags = [tag] }
        try fixture.commit { $0.allowsEmpty = true }
        #expect(
            try fixture.store.totals()
                == StoreTotals(versions: 2, tags: 1, blobs: 2, blobBytes: 4, logicalBytes: 14))
    }
}
