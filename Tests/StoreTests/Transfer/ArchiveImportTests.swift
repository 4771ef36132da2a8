import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct ArchiveImportTests {
    private let fixture: StoreFixture
    private let directory = TestDirectory()

    private var store: Store { fixture.store }

    init() throws { fixture = try StoreFixture() }

    private func open(_ bytes: [UInt8]) throws -> Descriptor {
        let path = directory.appending("archive-\(UInt32.random(in: 0 ... .max))")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        return try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY)
    }

    @discardableResult
    private func bring(
        _ archive: Descriptor, at path: TreePath = "in", force: Bool = false
    ) throws -> ImportSummary {
        try store.importArchive(
            from: archive, named: "some.tar", at: path, into: fixture.workspace, force: force)
    }

    private func bring(_ build: (inout TarBytes) -> Void) throws -> ImportSummary {
        var tar = TarBytes()
        build(&tar)
        return try bring(try open(tar.whole))
    }

    private func shell(_ script: String) throws -> Shell.Outcome {
        let outcome = try Shell.run("/bin/sh", "-ec", "cd '\(directory.path)'; \(script)")
        try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
        return outcome
    }

    private func staged(_ path: String) -> String { fixture.appending("workspaces/main/upper/\(path)") }

    /// Makes `source` with all that a directory can have and a tar archive can hold.
    private func makeSource() throws {
        _ = try shell(
            """
            mkdir -p source/a/b; cd source; printf hello > a/b/file; chmod 4711 a/b/file; chmod 1777 a
            ln -s a/b link; ln -s /etc/passwd absolute; ln -s ../../outside up; mkfifo pipe; mknod disk b 8 1
            : > empty; printf x > "$(printf '\\377\\376 \\351')"; printf x > 'caf\u{e9}'; printf x > 'cafe\u{301}'
            printf x > 'new
            line'; printf x > '-dash'; ln -s "$(printf '\\377')" raw-link; printf x > "$(printf 'n%.0s' $(seq 255))"
            mkdir -p "$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))"
            printf y > "$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))/long"
            truncate -s 8M sparse; printf end | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
            truncate -s 64M hole; printf 1 > ends-in-data; truncate -s 1M ends-in-data; printf 2 >> ends-in-data
            setfattr -n user.origin -v s3 a/b/file; setfattr -n user.raw -v 0x00ff0a a/b; setfattr -n user.empty a
            setfattr -n 'user.a=b%25%' -v odd a/b/file
            setfacl -m u:1234:r a/b/file; setfacl -d -m u:99:rx a; mkdir denied; printf x > denied/x; chmod 0 denied
            chown 1000:1001 a/b/file; chown -h 1002:1003 link; chown 4000000000:3000000000 empty
            touch -d 2001-02-03T04:05:06.123456789Z a/b/file a a/b empty; touch -d 1931-01-01T00:00:00.5Z sparse
            touch -h -d 2002-02-03T04:05:06.5Z link; touch -d 2103-02-03T04:05:06.7Z .
            """)
    }

    @Test(.enabled(if: TestHost.isRoot), arguments: ArchiveCompression.allCases)
    func `what is exported as tar and imported again is bit for bit the same`(
        compression: ArchiveCompression
    ) throws {
        try makeSource()
        _ = try shell(
            "cd source; touch -d 2300-01-01T00:00:00.123456789Z new*; touch -h -d 2400-02-29 link; touch -d 1901-12-14 a"
        )
        let brought = try store.importTree(
            from: RawPath(directory.appending("source")), at: "data", into: fixture.workspace, force: false)
        let version = try fixture.commit()
        let path = directory.appending("out")
        let file = try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        let exported = try store.export(version, path: "data", toTar: file.fd, compression: compression)
        // What is no byte of a file's takes no room, plain or not.
        #expect(try Syscall.stat(file.fd).st_size < 5 << 20)
        let again = try bring(try Syscall.open(at: AT_FDCWD, RawPath(path), O_RDONLY))
        #expect(again == brought)
        #expect(again.bytes == exported.bytes)
        let source = try TreeSnapshot.read(directory.appending("source"))
        #expect(source.differences(from: try broughtIn()) == [])
        #expect(try shell("stat -c %b '\(staged("in/hole"))' '\(staged("in/sparse"))'").text == "0\n8\n")
        let second = try fixture.commit()
        #expect(try store.entry(at: "in", of: second).content == store.entry(at: "data", of: version).content)
    }

    @Test(
        .enabled(if: TestHost.isRoot),
        arguments: [
            "--format=posix --xattrs --xattrs-include=*", "--format=gnu", "--format=oldgnu", "--format=ustar",
        ])
    func `what GNU tar writes comes in`(options: String) throws {
        _ = try shell(
            """
            mkdir -p source/d; cd source; printf hello > d/file; ln d/file d/hard; ln -s d/file link; mkfifo pipe
            printf x > "$(printf 'm%.0s' $(seq 99))"; truncate -s 4M sparse
            for i in 1 2 3 4 5 6 7 8 9; do printf $i | dd of=sparse bs=1 seek=${i}00000 conv=notrunc 2>/dev/null; done
            chmod 2750 d; chown 12:13 d/file; setfattr -n user.x -v y d
            find . -exec touch -h -d 2001-02-03T04:05:06Z {} +
            """)
        let sparse = options.contains("ustar") ? "" : "--sparse"
        if options.contains("ustar") || !options.contains("posix") {
            _ = try shell("setfattr -x user.x source/d")
        }
        if !options.contains("ustar") {
            _ = try shell(
                "cd source; n=$(printf 'n%.0s' $(seq 200)); printf x > $n; ln -s $n to-long; touch -h -d 2001-02-03T04:05:06Z $n to-long ."
            )
        }
        _ = try shell("tar \(options) \(sparse) -C source -cf archive .")
        try bring(try Syscall.open(at: AT_FDCWD, RawPath(directory.appending("archive")), O_RDONLY))
        let difference = try TreeSnapshot.read(directory.appending("source"))
            .differences(from: try broughtIn())
        #expect(difference == [])
        if !sparse.isEmpty {
            #expect(try shell("[ $(stat -c %b '\(staged("in/sparse"))') -lt 200 ]").status == 0)
        }
    }

    /// What came in, without Firn's own notes, which the mount does not show.
    private func broughtIn() throws -> TreeSnapshot {
        var snapshot = try TreeSnapshot.read(staged("in"))
        snapshot.items = snapshot.items.mapValues { item in
            var item = item
            item.xattrs = item.xattrs.filter { !UpperMark.isReserved($0.key) }
            return item
        }
        return snapshot
    }

    // MARK: Hostile archives

    struct Hostile: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let subject: String
        let build: @Sendable (inout TarBytes, _ outside: String) -> Void

        init(
            _ description: String, _ subject: String,
            _ build: @escaping @Sendable (inout TarBytes, String) -> Void
        ) {
            testDescription = description
            self.subject = subject
            self.build = build
        }
    }

    static let hostile = [
        Hostile("..", "../x") { tar, _ in tar.add("../x", "evil") },
        Hostile(".. later", "a/../../x") { tar, _ in tar.add("a/../../x", "evil") },
        Hostile(".. at the end", "a/..") { tar, _ in tar.add("a/..", .directory) },
        Hostile("absolute", "/canary") { tar, _ in tar.add("/canary", "evil") },
        Hostile("absolute directory", "/") { tar, _ in tar.add("/", .directory) },
        Hostile("below a symlink", "link/canary") { tar, outside in
            tar.add("link", .symlink, link: outside)
            tar.add("link/canary", "evil")
        },
        Hostile("below a symlink to ..", "d/link/x") { tar, _ in
            tar.add("d/link", .symlink, link: "../../..")
            tar.add("d/link/x", "evil")
        },
        Hostile("deep below a symlink", "link/a/b/c") { tar, outside in
            tar.add("link", .symlink, link: outside)
            tar.add("link/a/b/c", .directory)
        },
        Hostile("a directory that became a symlink", "d/canary") { tar, outside in
            tar.add("d", .directory)
            tar.add("d", .symlink, link: outside)
            tar.add("d/canary", "evil")
        },
        Hostile("below a file", "file/x") { tar, _ in
            tar.add("file", "1")
            tar.add("file/x", "2")
        },
        Hostile("hard link to outside", "stolen") { tar, outside in
            tar.add("stolen", .hardLink, link: "\(outside)/canary")
        },
        Hostile("hard link by ..", "stolen") { tar, _ in
            tar.add("stolen", .hardLink, link: "../../../firn.json")
        },
        Hostile("hard link through a symlink", "stolen") { tar, outside in
            tar.add("link", .symlink, link: outside)
            tar.add("stolen", .hardLink, link: "link/canary")
        },
        Hostile("hard link to nothing", "stolen") { tar, _ in tar.add("stolen", .hardLink, link: "later") },
        Hostile("hard link to a directory", "stolen") { tar, _ in
            tar.add("d", .directory)
            tar.add("stolen", .hardLink, link: "d")
        },
        Hostile("whiteout", "gone") { tar, _ in tar.add("gone", .device) },
        Hostile("file over a full directory", "d") { tar, _ in
            tar.add("d/x", "1")
            tar.add("d", "2")
        },
        Hostile("file as the top", ".") { tar, _ in tar.add(".", "evil") },
        Hostile("symlink to nothing", "empty") { tar, _ in tar.add("empty", .symlink) },
        Hostile("a name that is too deep", "a/a") { tar, _ in
            let name = Array(repeating: "a", count: 5000).joined(separator: "/")
            tar.add("pax", .pax, "\(10_006 + 5) path=\(name)\n")
            tar.add("short", "1")
        },
        Hostile("a name that is too long", "nnn") { tar, _ in
            tar.add("pax", .pax, "270 path=\(String(repeating: "n", count: 260))\n")
            tar.add("short", "1")
        },
    ]

    @Test(arguments: hostile)
    func `an entry that would reach outside is refused by name and changes nothing`(archive: Hostile) throws {
        let outside = directory.appending("outside")
        _ = try shell(
            "mkdir outside; printf precious > outside/canary; touch -d 2001-01-01 outside/* outside")
        try fixture.write("before", [1])
        let workspaces = fixture.appending("workspaces")
        let (before, staging) = (try TreeSnapshot.read(outside), try TreeSnapshot.read(workspaces))
        var tar = TarBytes()
        tar.add("good", "1")
        archive.build(&tar, outside)
        tar.add("more", "2")
        let file = try open(tar.whole)
        let refused = error { try bring(file) }
        #expect(refused?.code == .invalidInput)
        #expect(refused?.subject.hasPrefix(archive.subject) == true, "\(refused?.subject ?? "")")
        #expect(refused?.message.contains("refused") == true, "\(refused?.message ?? "")")
        #expect(try TreeSnapshot.read(outside) == before)
        #expect(try fixture.staged() == ["before"])
        #expect(try fixture.files(below: "tmp") == [])
        #expect(try staging.differences(from: TreeSnapshot.read(workspaces)) == [])
    }

    @Test func `a name that comes again replaces what came before, and directories are merged`() throws {
        let summary = try bring { tar in
            tar.add("d/one", "1")
            tar.add("file", "old and longer")
            tar.add("d", .directory)
            tar.add("link", .symlink, link: "/etc")
            tar.add("file", "new")
            tar.add("link", .directory)
            tar.add("link/inside", "2")
            tar.add("hard", .hardLink, link: "./d//one")
            tar.add("d/two", "3")
            tar.add("hard", .hardLink, link: "hard")
            tar.add("empty", .directory)
            tar.add("empty", "no more")
        }
        #expect(
            try fixture.staged() == [
                "in/", "in/d/", "in/d/one", "in/d/two", "in/empty", "in/file", "in/hard", "in/link/",
                "in/link/inside",
            ])
        #expect(try fixture.stagedBytes("in/file") == Array("new".utf8))
        #expect(try fixture.stagedBytes("in/hard") == Array("1".utf8))
        #expect(try shell("stat -c '%h %a %Y' '\(staged("in/d/one"))'").text == "2 750 1000000000\n")
        #expect(try shell("stat -c '%a %Y' '\(staged("in/d"))'").text == "750 1000000000\n")
        #expect(summary.directories == 3)
        #expect(summary.others == 0)
    }

    @Test func `Firn's own marks and labels of the machine do not come in with an archive`() throws {
        let mark = String(decoding: UpperMark(inode: 5).encoded, as: UTF8.self)
        _ = try bring { tar in
            tar.add(
                "file", "1",
                xattrs: [
                    "user.firn": mark, "user.firn.workspace": "x", "trusted.firn": "x", "user.kept": "y",
                    "security.selinux": "z", "trusted.overlay.opaque": "y",
                ])
        }
        let found = try TreeSnapshot.read(staged("in")).items[RawPath("file")]?.xattrs
        #expect(found == [Array("user.kept".utf8): Array("y".utf8)])
    }

    @Test(arguments: ArchiveCompression.allCases)
    func `an archive that is cut short anywhere is refused`(compression: ArchiveCompression) throws {
        var tar = TarBytes()
        tar.add("a", "1")
        tar.add("d", .directory)
        tar.add("d/b", String(repeating: "text ", count: 300))
        let plain = directory.appending("cut.tar")
        try Data(tar.whole).write(to: URL(fileURLWithPath: plain))
        var bytes = tar.whole
        if compression != .none {
            let out = try Syscall.open(at: AT_FDCWD, RawPath(plain), O_RDWR | O_TRUNC)
            let output = try ArchiveOutput(out.fd, compression)
            try output.write(tar.whole)
            try output.finish()
            bytes = Array(try Data(contentsOf: URL(fileURLWithPath: plain)))
        }
        // Of the end's two blocks one is enough, as for GNU tar; what compression adds after it is not read.
        let (end, step) = compression == .none ? (tar.bytes.count + 511, 512) : (bytes.count - 24, 16)
        for count in Set([0, 1, 11, end] + stride(from: 0, through: end, by: step)) {
            let file = try open(Array(bytes.prefix(count)))
            let refused = error { try bring(file) }
            #expect(refused?.code == .invalidInput, "\(count): \(String(describing: refused))")
        }
        #expect(try fixture.staged() == [])
        #expect(try fixture.files(below: "tmp") == [])
        #expect(try bring(try open(bytes)).files == 2)
    }

    @Test func `what is no archive is refused`() throws {
        for text in [
            "", "hello", String(repeating: "a,b,c\n", count: 1000),
            "PK\u{3}\u{4}" + String(repeating: "x", count: 600),
        ] {
            let file = try open(Array(text.utf8))
            let refused = error { try bring(file) }
            #expect(refused?.code == .invalidInput)
            #expect(refused?.subject == "some.tar")
        }
    }

    @Test func `a disk that is full at any step changes nothing`() throws {
        var tar = TarBytes()
        tar.add("d", .directory)
        tar.add("d/a", "1")
        tar.add("d/hard", .hardLink, link: "d/a")
        tar.add("link", .symlink, link: "d")
        tar.add("d/a", "2", xattrs: ["user.x": "y"])
        let bytes = tar.whole
        let first = try open(bytes)
        _ = try fixture.faults.during { try bring(first, at: "first") }
        // Up to the sync of what was unpacked: how it is put in its place is that of every import.
        let points = Set(fixture.faults.reached.prefix { $0.verb != .syncFilesystem })
        #expect(points.count > 8)
        let before = try TreeSnapshot.read(fixture.appending("workspaces"))
        for point in points.sorted(by: { $0.description < $1.description }) {
            fixture.faults.clear()
            fixture.faults.failOnce(at: point, with: .noSpace)
            let file = try open(bytes)
            let refused = error { _ = try fixture.faults.during { try bring(file) } }
            #expect(refused?.code == .system(.noSpace), "\(point): \(String(describing: refused))")
            let after = try TreeSnapshot.read(fixture.appending("workspaces"))
            #expect(before.differences(from: after) == [], "\(point)")
            #expect(try fixture.files(below: "tmp") == [], "\(point)")
        }
    }
}
