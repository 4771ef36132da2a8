import Foundation
import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite(.enabled(if: TestHost.isRoot)) struct ExportTests {
    private let fixture: StoreFixture
    private let source = TestDirectory()
    private let target = TestDirectory()
    private let version: Version

    /// A version of one directory that has everything a directory can have.
    init() throws {
        fixture = try StoreFixture()
        let outcome = try Shell.run(
            "/bin/sh", "-ec",
            """
            cd '\(source.path)'
            mkdir -p a/b; printf hello > a/b/file; chmod 4711 a/b/file; chmod 1777 a; ln -s a/b link
            mkfifo pipe; mknod disk b 8 1; : > empty; truncate -s 8M sparse
            printf end | dd of=sparse bs=1 seek=5000000 conv=notrunc 2>/dev/null
            printf x > "$(printf '\\377\\376 \\351')"; printf x > "$(printf 'n%.0s' $(seq 255))"
            printf x > 'new
            line'; printf x > '-dash'; ln -s "$(printf '\\377')" raw-link
            mkdir -p "$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))"
            printf y > "$(printf 'd%.0s' $(seq 200))/$(printf 'e%.0s' $(seq 200))/long"
            setfattr -n user.origin -v s3 a/b/file; setfattr -n user.raw -v 0x00ff0a a/b
            setfattr -n user.empty a/b/file
            chown 1000:1001 a/b/file; chown -h 1002:1003 link
            touch -d 2001-02-03T04:05:06.123456789Z a/b/file a a/b empty; touch -d 1931-01-01T00:00:00.5Z sparse
            touch -d 2300-01-01T00:00:00.123456789Z new*; touch -d 2400-02-29 pipe
            touch -h -d 2002-02-03T04:05:06.5Z link; touch -d 2003-02-03T04:05:06.7Z .
            """)
        try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
        _ = try fixture.store.importTree(
            from: RawPath(source.path), at: .root, into: fixture.workspace, force: false)
        version = try fixture.commit()
    }

    /// All that `find` and `getfattr` know of a directory, and its bytes.
    private func listing(_ path: String) throws -> [String] {
        let outcome = try Shell.run(
            "/bin/sh", "-ec",
            """
            cd '\(path)'; export LC_ALL=C
            find . -printf '%p %y %m %U:%G %T@ %l\\n' | sort
            find . -type f -print0 | sort -z | xargs -0 sha256sum
            getfattr -dR -m- -e hex . | grep -v user.firn; stat -c %t:%T disk
            """)
        try #require(outcome.status == 0, "\(String(decoding: outcome.errors, as: UTF8.self))")
        return outcome.text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
    }

    private func expectSame(
        _ path: String, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let (found, wanted) = (try listing(path), try listing(source.path))
        for (found, wanted) in zip(found, wanted) { #expect(found == wanted, sourceLocation: location) }
        #expect(found.count == wanted.count, sourceLocation: location)
    }

    @Test func `a directory comes out exactly as it went in`() throws {
        let path = target.appending("out")
        let summary = try fixture.store.export(version, path: .root, toDirectory: path)
        try expectSame(path)
        #expect(summary.files == 8)
        #expect(summary.directories == 5)
        #expect(summary.others == 4)
        // All but the targets of the two symlinks.
        #expect(summary.bytes == version.bytes - 4)
        let blocks = try Shell.run("/usr/bin/stat", "-c", "%b", "\(path)/sparse").text
        #expect(try #require(Int(blocks.dropLast())) < 1_000)
    }

    @Test func `a directory below, and a single file, go into the target`() throws {
        let below = target.appending("below")
        _ = try fixture.store.export(version, path: "a/b", toDirectory: below)
        #expect(try FileManager.default.contentsOfDirectory(atPath: below) == ["file"])
        let single = target.appending("single")
        _ = try fixture.store.export(version, path: "a/b/file", toDirectory: single)
        #expect(try FileManager.default.contentsOfDirectory(atPath: single) == ["file"])
        #expect(code { try self.export(path: "none", "x") } == .unknownPath)
    }

    private func export(path: TreePath = .root, _ name: String) throws {
        _ = try fixture.store.export(version, path: path, toDirectory: target.appending(name))
    }

    @Test func `a target that is not empty is refused, an empty one is used`() throws {
        try export(path: "a", "used")
        let refused = error { try export(path: "a", "used") }
        #expect(refused?.code == .invalidInput)
        _ = mkdir(target.appending("empty"), 0o755)
        try export(path: "a", "empty")
        #expect(code { try export("none/below") } == .system(.noSuchFileOrDirectory))
    }

    @Test func `a damaged object stops the export, names the path and leaves no half`() throws {
        unlink(fixture.appending("objects/\(BlobStore.path(Digest.of(Array("hello".utf8))).display)"))
        let damaged = error { try export("out") }
        #expect(damaged?.code == .damaged)
        #expect(damaged?.subject == "a/b/file")
        #expect(access(target.appending("out"), F_OK) == -1)
        _ = mkdir(target.appending("there"), 0o755)
        #expect(code { try export("there") } == .damaged)
        #expect(try FileManager.default.contentsOfDirectory(atPath: target.appending("there")) == [])
    }

    // MARK: tar

    private func tar(_ path: TreePath = .root, from version: Version? = nil) throws -> (
        String, ExportSummary
    ) {
        let archive = target.appending("\(UInt32.random(in: 0 ... .max)).tar")
        let file = try Syscall.open(at: AT_FDCWD, RawPath(archive), O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
        let summary = try fixture.store.export(version ?? self.version, path: path, toTar: file.fd)
        withExtendedLifetime(file) {}
        return (archive, summary)
    }

    private func extract(_ archive: String) throws -> String {
        let path = archive + ".out"
        _ = mkdir(path, 0o755)
        let outcome = try Shell.run(
            "/bin/tar", "-C", path, "--xattrs", "--xattrs-include=*", "--same-owner", "-xpf", archive)
        let complaints = String(decoding: outcome.errors, as: UTF8.self)
        try #require(outcome.status == 0, "\(complaints)")
        // Of times before 1970 it warns; of nothing else.
        #expect(!complaints.contains("keyword"), "\(complaints)")
        return path
    }

    @Test func `GNU tar makes of the archive what was sealed`() throws {
        let (archive, summary) = try tar()
        try expectSame(try extract(archive))
        #expect(summary.files == 8)
        #expect(summary.skipped == [])
    }

    @Test func `a directory below becomes the archive's top, and a file its only entry`() throws {
        let (below, _) = try tar("a/b")
        #expect(try Shell.run("/bin/tar", "-tf", below).text == "./\nfile\n")
        let (single, _) = try tar("a/b/file")
        #expect(try Shell.run("/bin/tar", "-tf", single).text == "file\n")
        #expect(try Shell.run("/bin/tar", "-xOf", single).text == "hello")
    }

    @Test func `holes are none of the archive's bytes, and holes again when it is unpacked`() throws {
        let place = try fixture.write("hole", [])
        try fixture.edit(place) { fd in try Syscall.truncate(fd, to: 100 << 20) }
        let version = try fixture.commit()
        let (archive, _) = try tar(from: version)
        #expect(try Syscall.stat(at: AT_FDCWD, RawPath(archive)).st_size < 200_000)
        let path = try extract(archive)
        for (name, size) in [("hole", 100 << 20), ("sparse", 8 << 20)] {
            let status = try Syscall.stat(at: AT_FDCWD, RawPath("\(path)/\(name)"))
            #expect(status.st_size == size && status.st_blocks < 100, "\(name)")
        }
        let (single, _) = try tar("sparse", from: version)
        #expect(
            try Shell.run("/usr/bin/cmp", "\(source.path)/sparse", "\(try extract(single))/sparse").status
                == 0)
    }

    @Test func `sockets are left out and named`() throws {
        try fixture.makeSpecial("a/socket", .socket)
        let second = try fixture.commit()
        let (archive, summary) = try tar("a", from: second)
        #expect(summary.skipped == ["a/socket"])
        #expect(try Shell.run("/bin/tar", "-tf", archive).text == "./\nb/\nb/file\n")
    }

    @Test func `a damaged object stops the archive and names the path`() throws {
        unlink(fixture.appending("objects/\(BlobStore.path(Digest.of(Array("hello".utf8))).display)"))
        let damaged = error { _ = try tar() }
        #expect(damaged?.code == .damaged)
        #expect(damaged?.subject == "a/b/file")
    }

    @Test func `a full disk is an error`() throws {
        let full = try Syscall.open(at: AT_FDCWD, RawPath("/dev/full"), O_WRONLY)
        let refused = error { _ = try fixture.store.export(version, path: .root, toTar: full.fd) }
        #expect(refused?.code == .system(.noSpace))
    }
}
