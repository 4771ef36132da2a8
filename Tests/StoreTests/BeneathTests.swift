import CLinux
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// No call that begins at a descriptor follows a symlink, nor leads out of it.
@Suite struct BeneathTests {
    private let directory = TestDirectory()
    private let top: Descriptor

    /// `inside/deep/file`, and symlinks to it and to a directory outside with the same names in it.
    init() throws {
        let outcome = try Shell.run(
            "/bin/sh", "-ec",
            """
            cd '\(directory.path)'; mkdir -p top/inside/deep outside/deep; echo in > top/inside/deep/file
            echo out > outside/deep/file; ln -s "$PWD/outside" top/absolute; ln -s ../outside top/up
            ln -s inside top/same; ln -s deep/file top/inside/link
            """)
        try #require(outcome.status == 0)
        top = try Syscall.open(at: AT_FDCWD, RawPath(directory.appending("top")), O_RDONLY | O_DIRECTORY)
    }

    private func snapshot() throws -> TreeSnapshot { try TreeSnapshot.read(directory.path) }

    @Test(arguments: ["absolute", "up", "same"])
    func `every call refuses a path with a symlink in the middle`(link: String) throws {
        let before = try snapshot()
        let (file, new) = (RawPath("\(link)/deep/file"), RawPath("\(link)/deep/new"))
        let fd = top.fd
        let place = Place(directory: top, path: file)
        let here = RawPath("here")
        let calls: [() throws -> Void] = [
            { _ = try Syscall.open(at: fd, file, O_RDONLY) },
            { _ = try Syscall.open(at: fd, new, O_WRONLY | O_CREAT, mode: 0o600) },
            { _ = try Syscall.stat(at: fd, file) },
            { _ = try Syscall.names(at: fd, RawPath("\(link)/deep")) },
            { _ = try Syscall.entries(at: fd, RawPath(link)) },
            { try Syscall.makeDirectory(at: fd, new, mode: 0o700) },
            { try Syscall.makeNode(at: fd, new, mode: S_IFIFO | 0o600, device: 0) },
            { try Syscall.makeSymlink(at: fd, new, target: file) },
            { _ = try Syscall.readSymlink(at: fd, file) },
            { try Syscall.link(at: fd, file, to: fd, here) },
            { try Syscall.link(at: fd, RawPath("inside/deep/file"), to: fd, new) },
            { try Syscall.unlink(at: fd, file) },
            { try Syscall.removeDirectory(at: fd, RawPath("\(link)/deep")) },
            { try Syscall.rename(at: fd, file, to: fd, here) },
            { try Syscall.rename(at: fd, RawPath("inside/deep/file"), to: fd, new) },
            { try Syscall.changeMode(at: fd, file, 0o777) },
            { try Syscall.changeOwner(at: fd, file, uid: 1, gid: 1) },
            { try Syscall.changeTimes(at: fd, file, access: nil, modification: .now) },
            { _ = try Syscall.attribute(at: place.fd, place.path, UpperMark.name) },
            { _ = try Syscall.attributeNames(at: place.fd, place.path) },
            {
                try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.a"), [1])
            },
            { try Syscall.removeAttribute(at: place.fd, place.path, RawPath("user.a")) },
        ]
        for (index, call) in calls.enumerated() {
            let refusal = errno(call)
            // A directory to be listed may not be a symlink itself, and that is no directory.
            let isRefused = refusal == .tooManySymbolicLinkLevels || refusal == .notDirectory
            #expect(isRefused, "call \(index): \(String(describing: refusal))")
        }
        #expect(try snapshot() == before)
    }

    @Test func `a symlink at the end is opened, listed and given a mode by none`() throws {
        let before = try snapshot()
        let link = RawPath("inside/link")
        #expect(errno { _ = try Syscall.open(at: top.fd, link, O_RDONLY) } == .tooManySymbolicLinkLevels)
        #expect(errno { _ = try Syscall.names(at: top.fd, RawPath("same")) } == .notDirectory)
        #expect(errno { try Syscall.changeMode(at: top.fd, link, 0o777) } != nil)
        #expect(try Syscall.readSymlink(at: top.fd, link) == Array("deep/file".utf8))
        #expect(try snapshot() == before)
    }

    @Test func `a path may not lead out, and a plain one goes where it should`() throws {
        #expect(errno { _ = try Syscall.open(at: top.fd, RawPath("../outside/deep/file"), O_RDONLY) } != nil)
        #expect(errno { _ = try Syscall.stat(at: top.fd, RawPath("inside/../../outside")) } != nil)
        #expect(errno { try Syscall.unlink(at: top.fd, RawPath("/etc/none")) } != nil)
        let place = Place(directory: top, path: RawPath("inside/deep/file"))
        try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.a"), [1])
        #expect(try Syscall.attributeNames(at: place.fd, place.path) == [Array("user.a".utf8)])
        let resolved = try place.resolved()
        #expect(resolved.path == RawPath("file"))
        #expect(try Syscall.stat(at: resolved.fd, resolved.path).st_size == 3)
    }

    /// What stands in for openat2 on old kernels.
    @Test func `opening name by name refuses what openat2 refuses`() throws {
        let paths = [
            "inside/deep/file", "inside", ".", "inside/link", "inside/link/x", "same/deep/file",
            "absolute/deep/file",
            "up", "../outside", "inside/../inside", "/etc/passwd", "inside/none", "none/file",
            "inside/deep/file/x",
            String(repeating: "n", count: 300),
        ]
        for path in paths {
            var errors: [Int32] = []
            for open in [firn_openat, firn_open_by_names] {
                let fd = open(top.fd, path, O_RDONLY | O_CLOEXEC, 0)
                errors.append(fd < 0 ? Glibc.errno : 0)
                if fd >= 0 { close(fd) }
            }
            // Down and up again stays beneath; name by name nothing goes up at all.
            if path == "inside/../inside" { errors[0] = EXDEV }
            #expect(errors[0] == errors[1], "\(path)")
        }
        let made = firn_open_by_names(top.fd, "inside/made", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o640)
        #expect(made >= 0)
        if made >= 0 { close(made) }
        #expect(try Syscall.stat(at: top.fd, RawPath("inside/made")).st_size == 0)
    }

    private func errno(_ body: () throws -> Void) -> Errno? {
        do { try body() } catch { return error as? Errno }
        return nil
    }
}
