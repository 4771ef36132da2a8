import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// What the public suites and their like found: see `docs/POSIX.md`.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct LocalFilesystemTests {
    private static let isRoot = geteuid() == 0

    // MARK: Directories

    /// The directories at and below `path` whose link count is not 2 and one for each directory in them.
    private func miscounted(_ mount: MountedStore, _ path: String) throws -> [String] {
        var wrong: [String] = []
        var directories: nlink_t = 0
        for name in try mount.names(path) {
            let child = "\(path)/\(name)"
            guard try mount.status(child).st_mode & S_IFMT == S_IFDIR else { continue }
            directories += 1
            wrong += try miscounted(mount, child)
        }
        let shown = try mount.status(path).st_nlink
        if shown != 2 + directories { wrong.append("\(path): \(shown), not \(2 + directories)") }
        return wrong
    }

    @Test(arguments: [false, true])
    func `a directory's link count follows what is made, moved and removed in it`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            for name in ["a", "a/1", "a/2", "a/2/x", "b", "b/1", "c"] {
                try mount.makeDirectory("staging/\(name)")
            }
            try mount.write("staging/a/f", "")
            try mount.write("staging/g", "")
            if isSealed { try mount.commit() }
            #expect(try miscounted(mount, "staging").isEmpty)
            let remove = { (path: String) throws(Errno) in
                try Syscall.removeDirectory(at: AT_FDCWD, mount.place("staging/\(path)"))
            }
            let changes: [() throws -> Void] = [
                { try mount.makeDirectory("staging/a/3") },
                { try remove("a/1") },
                { try mount.makeDirectory("staging/a/1") },
                { try mount.rename("staging/a/2", "staging/b/2") },
                { try mount.rename("staging/b/2", "staging/c") },
                { try mount.rename("staging/b/1", "staging/a/f", .exchange) },
                { try mount.rename("staging/c", "staging/a/c") },
                { try mount.rename("staging/a/1", "staging/a/9") },
                { try mount.write("staging/a/1", "") },
                { try mount.rename("staging/g", "staging/a/g") },
                { try mount.commit() },
                { try mount.remount() },
                { try mount.makeDirectory("staging/a/4") },
                { try mount.run("restore", "--force", "latest", "a") },
            ]
            for (index, change) in changes.enumerated() {
                // An error of one of these is the next one's reason.
                do { try change() } catch { Issue.record("change \(index): \(error)") }
                #expect(try miscounted(mount, "staging").isEmpty, "after change \(index)")
            }
        }
    }

    @Test
    func `what is open goes on to be shown after staging has something else there`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/a", "sealed")
            try mount.commit()
            // A file with attributes of its own and the sealed bytes.
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/a"), 0o600)
            let file = try mount.open("staging/a", O_RDONLY)
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/d"), 0o700)
            let directory = try mount.open("staging/d", O_RDONLY | O_DIRECTORY)
            try mount.run("restore", "--force", "latest", "a", "d")
            #expect(try file.status.st_mode & 0o7777 == 0o600)
            #expect(try file.status.st_nlink == 0)
            #expect(try file.read(9) == "sealed")
            #expect(try directory.status.st_mode & 0o7777 == 0o700)
            #expect(try Syscall.names(at: directory.fd, .here).isEmpty)
            #expect(try mount.status("staging/a").st_mode & 0o7777 == 0o644)
        }
    }

    @Test
    func `a name that is first looked up while a commit swaps staging is what was staged`() throws {
        try MountedStore.with { mount in
            for round in 0..<5 {
                let names = (0..<400).map { "staging/\(round)-\($0)" }
                for name in names { try mount.write(name, "x") }
                // So that neither the kernel nor the daemon knows the names.
                try mount.remount()
                let committing = try RunningProcess([FirnProgram.path, "commit", "--store", mount.store])
                for name in names {
                    let size = try? mount.status(name).st_size
                    #expect(size == 1, "\(name)")
                    if !committing.isRunning { break }
                }
                #expect(committing.wait().status == 0)
            }
        }
    }

    // MARK: Devices

    @Test(.enabled(if: isRoot, "only root may tell it from a deletion"))
    func `a character device 0:0 is a device and no deletion`() throws {
        try MountedStore.with { mount in
            let make = { (name: String) throws(Errno) in
                try Syscall.makeNode(
                    at: AT_FDCWD, mount.place("staging/\(name)"), mode: S_IFCHR | 0o640, device: 0)
            }
            let isDevice = { (path: String) throws in
                let status = try mount.status(path)
                return status.st_mode == S_IFCHR | 0o640 && status.st_rdev == 0
            }
            try make("n")
            #expect(try isDevice("staging/n"))
            #expect(failure { () throws(Errno) in try make("n") } == .fileExists)
            try mount.write("staging/f", "")
            try mount.commit()
            #expect(try isDevice("versions/latest/n"))
            // In the place of one that was deleted, and with attributes of its own over the sealed one.
            try mount.unlink("staging/f")
            try make("f")
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/n"), 0o600)
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/n"), 0o640)
            try mount.remount()
            #expect(try mount.names("staging") == ["f", "n"])
            #expect(try isDevice("staging/f") && isDevice("staging/n"))
            try mount.commit()
            try mount.unlink("staging/f")
            #expect(try mount.names("staging") == ["n"])
            #expect(try isDevice("versions/latest/f"))
            try mount.run("restore", "latest", "f", "--force")
            #expect(try isDevice("staging/f"))
        }
    }

    @Test(.enabled(if: isRoot, "only root may tell it from a deletion"), arguments: [false, true])
    func `a rename can leave a device for an overlay`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            for name in ["a", "b", "d", "e"] {
                if name < "c" { try mount.write("staging/\(name)", name) }
                if name > "c" { try mount.makeDirectory("staging/\(name)") }
            }
            if isSealed { try mount.commit() }
            #expect(
                failure { () throws(Errno) in
                    try mount.rename("staging/a", "staging/b", [.whiteout, .noReplace])
                } == .fileExists)
            try mount.rename("staging/a", "staging/b", .whiteout)
            try mount.rename("staging/d", "staging/e", .whiteout)
            for isRemounted in [false, true] {
                if isRemounted { try mount.remount() }
                #expect(try mount.names("staging") == ["a", "b", "d", "e"])
                #expect(try mount.read("staging/b") == "a")
                for name in ["a", "d"] {
                    let status = try mount.status("staging/\(name)")
                    #expect(status.st_mode == S_IFCHR && status.st_rdev == 0)
                }
            }
            try mount.commit()
            try mount.unlink("staging/a")
            try mount.unlink("staging/d")
            #expect(try mount.names("staging") == ["b", "e"])
        }
    }

    // MARK: Set-id bits

    @Test(.enabled(if: isRoot, "only root may act as others"), arguments: [0, 65534])
    func `set-id bits given to a file that is open go with its next write, if not by root`(user: Int) throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            try mount.write("staging/f", "1")
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/f"), 0o666)
            // The writer says by the fifo that it has the file open, and is told by it that the mode has changed.
            let script = """
                mkfifo "$2" && chmod 666 "$2"
                setpriv --reuid $3 --regid $3 --clear-groups sh -c \
                    'exec 3>>"$1"; echo >"$2"; read line <"$2"; echo x >&3' sh "$1" "$2" &
                read line <"$2"; chmod 6777 "$1"; stat -c %a "$1"; echo >"$2"; wait; stat -c %a "$1"
                """
            let outcome = try Shell.run([
                "/bin/sh", "-c", script, "sh", mount.staging + "/f", mount.directory.appending("fifo"),
                "\(user)",
            ])
            #expect(outcome.text == "6777\n\(user == 0 ? "6777" : "777")\n", "\(outcome.complaints)")
        }
    }

    @Test(arguments: [false, true])
    func `a chown that names nobody takes set-id bits and is a change`(isOpen: Bool) throws {
        try MountedStore.with { mount in
            for (name, mode) in [("a", 0o6755), ("b", 0o4644)] as [(String, UInt32)] {
                try mount.write("staging/\(name)", "1")
                try mount.commit()
                let path = mount.place("staging/\(name)")
                try Syscall.changeMode(at: AT_FDCWD, path, mode)
                let before = try mount.status("staging/\(name)").st_ctim
                usleep(20_000)
                let file = open("\(mount.staging)/\(name)", O_RDONLY)
                defer { close(file) }
                if isOpen { try mount.unlink("staging/\(name)") }
                #expect(fchown(file, .max, .max) == 0)
                var status = stat()
                #expect(fstat(file, &status) == 0)
                #expect(status.st_mode & 0o7777 == mode & 0o777)
                #expect((status.st_ctim.tv_sec, status.st_ctim.tv_nsec) > (before.tv_sec, before.tv_nsec))
            }
        }
    }

    @Test(.enabled(if: isRoot, "only root may act as others"), arguments: ["f", "d"])
    func `an access list by an owner outside of the group takes the set-group-id bit`(name: String) throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            try mount.write("staging/f", "")
            try mount.makeDirectory("staging/d")
            let path = mount.staging + "/" + name
            let script = """
                chown 100:100 "$1" && chmod 2755 "$1" &&
                setpriv --reuid 100 --regid 100 --clear-groups setfacl -m g::rwx "$1" && stat -c %a "$1" &&
                setpriv --reuid 100 --regid 101 --clear-groups setfacl -m g::rx "$1" && stat -c %a "$1"
                """
            let outcome = try Shell.run(["/bin/sh", "-c", script, "sh", path])
            #expect(outcome.text == "2775\n755\n", "\(outcome.complaints)")
        }
    }

    // MARK: What fails changes nothing

    /// Runs `attempt` with room for more and more descriptors in the daemon, until it succeeds. Whenever it fails,
    /// `isIntact` must hold.
    ///
    /// - Returns: how often it failed.
    private func failures(
        _ mount: MountedStore, _ attempt: () throws(Errno) -> Void, isIntact: () throws -> Bool
    ) throws -> Int {
        let daemon = try #require(mount.daemon)
        let open = Set(try Syscall.names(at: AT_FDCWD, RawPath("/proc/\(daemon)/fd")).map(\.display))
        let free = (0..<open.count + 1).first { !open.contains(String($0)) } ?? 0
        let before = try Shell.run([
            "/usr/bin/prlimit", "-p", "\(daemon)", "-n", "-o", "SOFT", "--noheadings",
        ])
        let usual = before.text.trimmingCharacters(in: .whitespacesAndNewlines)
        let allow = { (count: String) throws in
            let outcome = try Shell.run(["/usr/bin/prlimit", "-p", "\(daemon)", "-n\(count):"])
            #expect(outcome.status == 0, "\(outcome.complaints)")
        }
        for count in 0..<open.count + 20 {
            try allow(String(free + count))
            let error = failure { () throws(Errno) in try attempt() }
            try allow(usual)
            if error == nil { return count }
            #expect(error == .tooManyOpenFilesInSystem)
            #expect(try isIntact(), "with \(count) descriptors")
        }
        Issue.record("it never succeeds")
        return 0
    }

    @Test(arguments: ["O_TRUNC", "truncate"])
    func `emptying a sealed file that fails for want of descriptors leaves its bytes`(how: String) throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "sealed")
            try mount.commit()
            // Once as it was sealed, and once as a file with attributes of its own.
            for _ in 0..<2 {
                let failed = try failures(mount) { () throws(Errno) in
                    if how == "O_TRUNC" {
                        _ = try mount.open("staging/a", O_WRONLY | O_TRUNC)
                    } else if truncate(mount.staging + "/a", 0) != 0 {
                        throw Errno(rawValue: errno)
                    }
                } isIntact: {
                    try mount.read("staging/a") == "sealed"
                }
                #expect(failed > 0)
                #expect(try mount.read("staging/a") == "")
                try mount.run("restore", "--force", "latest", "a")
                try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/a"), 0o600)
            }
        }
    }

    @Test(arguments: [false, true])
    func `a file that cannot be opened after it was made is not left behind`(isOverDeletion: Bool) throws {
        try MountedStore.with { mount in
            if isOverDeletion {
                try mount.write("staging/a", "sealed")
                try mount.commit()
                try mount.unlink("staging/a")
            }
            let failed = try failures(mount) { () throws(Errno) in
                _ = try mount.open("staging/a", O_WRONLY | O_CREAT)
            } isIntact: {
                try mount.names("staging").isEmpty
            }
            #expect(failed > 0)
            #expect(try mount.read("staging/a") == "")
        }
    }

    @Test
    func `below a path too long for one call, a daemon without descriptors is a limit of the system`() throws
    {
        try MountedStore.with { mount in
            // 20 names of 250 bytes: the daemon goes there by way of directories that it opens.
            let name = RawPath(Array(repeating: UInt8(ascii: "d"), count: 250))
            var deep = try Syscall.open(at: AT_FDCWD, mount.place("staging"), O_RDONLY | O_DIRECTORY)
            for _ in 0..<20 {
                try Syscall.makeDirectory(at: deep.fd, name, mode: 0o755)
                deep = try Syscall.open(at: deep.fd, name, O_RDONLY | O_DIRECTORY)
            }
            let file = RawPath("f")
            let failed = try failures(mount) { () throws(Errno) in
                _ = try Syscall.open(at: deep.fd, file, O_RDWR | O_CREAT)
            } isIntact: {
                try Syscall.names(at: deep.fd, .here).isEmpty
            }
            _ = try failures(mount) { () throws(Errno) in
                try Syscall.changeMode(at: deep.fd, file, 0o600)
            } isIntact: {
                try Syscall.stat(at: deep.fd, file).st_mode & 0o777 == 0
            }
            _ = try failures(mount) { () throws(Errno) in
                try Syscall.rename(at: deep.fd, file, to: deep.fd, RawPath("g"), [])
            } isIntact: {
                try Syscall.names(at: deep.fd, .here).count == 1
            }
            // The other two may find the directory at hand, and need no descriptor more.
            #expect(failed > 0)
        }
    }

    // MARK: Times of birth

    @Test
    func `what is staged has a time of birth, which no other time moves`() throws {
        try MountedStore.with { mount in
            let before = time(nil)
            try mount.write("staging/a", "1")
            try mount.makeDirectory("staging/d")
            try mount.commit()
            try mount.write("staging/b", "2")
            try Syscall.changeTimes(
                at: AT_FDCWD, mount.place("staging/b"), access: .at(Timestamp(nanoseconds: 0)),
                modification: .at(Timestamp(nanoseconds: 0)))
            let births = { (paths: [String]) throws -> [Int] in
                let outcome = try Shell.run(["/usr/bin/stat", "-L", "-c", "%W"] + paths)
                #expect(outcome.status == 0, "\(outcome.complaints)")
                return outcome.text.split(separator: "\n").map { Int($0) ?? -1 }
            }
            let sealed = mount.versions + "/1/a"
            #expect(try births([sealed]) == [0])
            let open = try mount.open("staging/gone", O_RDWR | O_CREAT)
            try mount.unlink("staging/gone")
            for _ in 0..<2 {
                let found = try births([
                    mount.staging + "/b", "/proc/\(getpid())/fd/\(open.fd)", mount.staging,
                ])
                #expect(found.count == 3)
                #expect(found.allSatisfy { (before - 1...time(nil)).contains($0) }, "\(found)")
            }
            #expect(try mount.status("staging/b").st_mtim.tv_sec == 0)
            #expect(try mount.status("staging/b").st_size == 1)
            withExtendedLifetime(open) {}
        }
    }

    // MARK: Handles

    @Test
    func `handles that would end with the kernel's memory are refused`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/a", "")
            let script = """
                import ctypes, errno, os, sys
                class Handle(ctypes.Structure):
                    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]
                handle, mount = Handle(size=128), ctypes.c_int()
                libc = ctypes.CDLL(None, use_errno=True)
                result = libc.name_to_handle_at(
                    -100, os.fsencode(sys.argv[1]), ctypes.byref(handle), ctypes.byref(mount), 0)
                print(result, ctypes.get_errno() == errno.EOPNOTSUPP)
                """
            let outcome = try Shell.run(["/usr/bin/python3", "-c", script, mount.staging + "/a"])
            #expect(outcome.text == "-1 True\n", "\(outcome.complaints)")
        }
    }
}
