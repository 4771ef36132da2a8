import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct ImportTests {
    private let fixture: StoreFixture
    private let source = TestDirectory()

    private var store: Store { fixture.store }

    init() throws { fixture = try StoreFixture() }

    private func importTree(_ path: TreePath, force: Bool = false) throws -> ImportSummary {
        try fixture.faults.during {
            try store.importTree(from: RawPath(source.path), at: path, into: fixture.workspace, force: force)
        }
    }

    /// Where a file that is to be copied is opened.
    private let opening = FaultPoint(.open, in: "file(_:_:to:path:)")

    private func shell(_ script: String) throws {
        let outcome = try Shell.run("/bin/sh", "-ec", "cd '\(source.path)'; \(script)")
        try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
    }

    @Test(.enabled(if: TestHost.isRoot)) func `a directory comes in exactly as it is`() throws {
        try shell(
            """
            mkdir -p a/b; printf hello > a/b/file; chmod 4711 a/b/file; ln a/b/file hard; ln -s a/b link
            mkfifo pipe; mknod disk b 8 1; printf '' > empty; chmod 1777 a
            truncate -s 64M sparse; printf end | dd of=sparse bs=1 seek=40000000 conv=notrunc 2>/dev/null
            setfattr -n user.origin -v s3 a/b/file; setfacl -m u:1234:r a/b/file; setfacl -d -m u:99:rx a
            chown 1000:1001 a/b/file; touch -d 2001-02-03T04:05:06.123456789Z a/b/file a a/b
            touch -h -d 2002-02-03T04:05:06.5Z link
            """)
        let summary = try importTree("data/set")
        #expect(summary.files == 4)
        #expect(summary.directories == 3)
        #expect(summary.others == 3)
        #expect(summary.bytes == 5 + 64 << 20)
        let imported = fixture.appending("workspaces/main/upper/data/set")
        let compare = { (path: String) throws in
            try Shell.run(
                "/bin/sh", "-ec",
                """
                cd '\(path)'; find . -mindepth 1 -printf '%p %y %m %U:%G %s %T@ %l %n\\n' | sort
                getfattr -dR -m- -e hex * | grep -v user.firn; stat -c %t:%T disk
                """
            ).text
        }
        #expect(try compare(imported) == compare(source.path))
        let sparse = try Shell.run("/usr/bin/stat", "-c", "%b", "\(imported)/sparse").text
        #expect(try #require(Int(sparse.dropLast())) < 1_000)
        let version = try fixture.commit()
        #expect(try fixture.bytes("data/set/hard", of: version) == Array("hello".utf8))
        #expect(try store.entry(at: "data/set/a/b/file", of: version).xattrs.count == 2)
    }

    @Test func `it replaces what staging shows there, and asks before staged changes are lost`() throws {
        try fixture.write("data/old", [1])
        try fixture.write("beside", [2])
        try fixture.commit()
        try shell("printf x > new")
        _ = try importTree("data")
        #expect(try fixture.staged() == ["beside", "data/", "data/new"])
        #expect(code { _ = try importTree("data") } == .stagedChanges)
        _ = try importTree("data", force: true)
        #expect(try fixture.paths(of: try fixture.commit()) == ["beside", "data", "data/new"])
    }

    @Test func `it can become all of staging`() throws {
        try fixture.write("old", [1])
        try fixture.commit()
        try shell("mkdir d; printf x > d/new; chmod 750 .")
        _ = try importTree(.root)
        #expect(try fixture.staged() == ["d/", "d/new"])
        let version = try fixture.commit()
        #expect(try fixture.paths(of: version) == ["d", "d/new"])
        #expect(version.manifest.root.mode == 0o750)
        #expect(version.number == VersionNumber(2))
    }

    @Test func `names of any bytes, 255 of them, and a thousand levels`() throws {
        try shell(
            """
            printf x > "$(printf '\\377\\376')"; printf x > "$(printf 'n%.0s' $(seq 255))"
            i=0; while [ $i -lt 1000 ]; do mkdir d; cd d; i=$((i+1)); done; printf deep > file
            """)
        let summary = try importTree("in")
        #expect(summary.files == 3)
        #expect(summary.directories == 1001)
        let version = try fixture.commit()
        let deep = TreePath(
            names: [FileName("in")] + Array(repeating: FileName("d"), count: 1000) + [FileName("file")])
        #expect(try fixture.bytes(deep, of: version) == Array("deep".utf8))
        #expect(version.files == 3)
        let again = try store.importTree(
            from: RawPath(source.path), at: "in", into: fixture.workspace, force: false)
        #expect(again == summary)
        try store.abort(fixture.workspace)
        #expect(try fixture.files(below: "tmp") == [])
    }

    @Test func `a file that vanishes during the import is an error that changes nothing`() throws {
        try shell("printf 1 > a; printf 2 > b; printf 3 > c")
        let path = source.path
        fixture.faults.once(at: opening) { unlink("\(path)/a") }
        let vanished = error { _ = try importTree("in") }
        #expect(vanished?.code == .system(.noSuchFileOrDirectory))
        #expect(vanished?.subject == "a")
        #expect(try fixture.staged() == [])
        #expect(try fixture.files(below: "tmp") == [])
    }

    @Test func `a file that changes during the import is an error that changes nothing`() throws {
        try shell("printf 1 > a; printf 2 > b")
        let path = source.path
        fixture.faults.once(at: opening) {
            guard let file = fopen("\(path)/a", "a") else { return }
            fputs("more", file)
            fclose(file)
        }
        let changed = error { _ = try importTree("in") }
        #expect(changed?.code == .busy)
        #expect(changed?.subject == "a")
        #expect(try fixture.staged() == [])
        #expect(try fixture.files(below: "tmp") == [])
    }

    @Test func `a full disk during the import changes nothing`() throws {
        try shell("printf 1 > a")
        fixture.faults.fail(at: opening, with: .noSpace)
        #expect(code { _ = try importTree("in") } == .system(.noSpace))
        fixture.faults.clear()
        #expect(try fixture.staged() == [])
        #expect(try importTree("in").files == 1)
    }

    @Test func `what is no directory, or holds the store, is refused`() throws {
        try shell("printf 1 > a")
        let store = store
        let bring = { (path: String) throws in
            _ = try store.importTree(from: RawPath(path), at: "in", into: fixture.workspace, force: false)
        }
        #expect(code { try bring("\(source.path)/a") } == .invalidInput)
        #expect(code { try bring("\(source.path)/none") } == .system(.noSuchFileOrDirectory))
        #expect(code { try bring(fixture.directory.path) } == .invalidInput)
        #expect(try fixture.staged() == [])
    }

    @Test func `progress counts every byte once`() throws {
        try shell("printf 12345 > a; truncate -s 1000 b; ln a c")
        let (total, done) = (Lock<UInt64>(0), Lock<UInt64>(0))
        let progress = Progress { _, count in
            total.withLock { $0 = count }
        } onAdvance: { count in
            done.withLock { $0 += count }
        }
        _ = try store.importTree(
            from: RawPath(source.path), at: "in", into: fixture.workspace, force: false, progress: progress)
        #expect(total.withLock { $0 } == 1005)
        #expect(done.withLock { $0 } == 1005)
    }
}
