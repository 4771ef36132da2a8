import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// What `chattr` sets: see `man 1 chattr`.
@Suite(
    .enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"),
    .enabled(if: access("/usr/bin/chattr", X_OK) == 0, "chattr is not installed")
)
struct FileFlagsTests {
    private static let isRoot = geteuid() == 0

    /// - Returns: whether it succeeded.
    @discardableResult
    private func chattr(_ change: String, _ path: String, as user: String? = nil) throws -> Bool {
        let command = ["/usr/bin/chattr", change, path]
        return try Shell.run(user.map { Shell.command(command, as: $0) } ?? command).status == 0
    }

    /// The letters that are set.
    private func flags(_ path: String, as user: String? = nil) throws -> String {
        let command = ["/usr/bin/lsattr", "-d", path]
        let outcome = try Shell.run(user.map { Shell.command(command, as: $0) } ?? command)
        #expect(outcome.status == 0, "\(outcome.complaints)")
        return String(outcome.text.prefix { $0 != " " }.filter { $0 != "-" })
    }

    /// Runs `body` on a mount with the file `f`, which is sealed or not, that has got `change`.
    private func withFile(
        _ change: String, isSealed: Bool, options: [String] = [], _ body: (MountedStore) throws -> Void
    ) throws {
        try MountedStore.with(options: options) { mount in
            try mount.write("staging/f", "bytes")
            try mount.write("staging/other", "other")
            try Syscall.setAttribute(mount.place("staging/f"), RawPath("user.x"), [1])
            if isSealed { try mount.commit() }
            #expect(try chattr(change, mount.staging + "/f"))
            try body(mount)
        }
    }

    private typealias Attempt = (what: String, run: (MountedStore) throws(Errno) -> Void)

    private func expectRefused(_ attempts: [Attempt], _ mount: MountedStore) {
        for attempt in attempts {
            let error = failure { () throws(Errno) in try attempt.run(mount) }
            #expect(error == .notPermitted, "\(attempt.what)")
        }
    }

    private func expectAllowed(_ attempts: [Attempt], _ mount: MountedStore) {
        for attempt in attempts {
            let error = failure { () throws(Errno) in try attempt.run(mount) }
            #expect(error == nil, "\(attempt.what)")
        }
    }

    /// What neither an immutable file nor one that is only added to allows.
    private let changes: [Attempt] = [
        ("write", { mount throws(Errno) in _ = try mount.open("staging/f", O_WRONLY) }),
        ("read and write", { mount throws(Errno) in _ = try mount.open("staging/f", O_RDWR) }),
        ("empty", { mount throws(Errno) in _ = try mount.open("staging/f", O_WRONLY | O_TRUNC) }),
        (
            "empty and append",
            { mount throws(Errno) in _ = try mount.open("staging/f", O_WRONLY | O_APPEND | O_TRUNC) }
        ),
        (
            "truncate",
            { mount throws(Errno) in
                if truncate("\(mount.staging)/f", 1) != 0 { throw Errno(rawValue: errno) }
            }
        ),
        (
            "mode",
            { mount throws(Errno) in try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/f"), 0o600) }
        ),
        (
            "owner",
            { mount throws(Errno) in
                try Syscall.changeOwner(at: AT_FDCWD, mount.place("staging/f"), uid: getuid(), gid: nil)
            }
        ),
        (
            "times",
            { mount throws(Errno) in
                try Syscall.changeTimes(
                    at: AT_FDCWD, mount.place("staging/f"), access: nil,
                    modification: .at(Timestamp(seconds: 1, nanoseconds: 0)))
            }
        ),
        (
            "set an attribute",
            { mount throws(Errno) in
                try Syscall.setAttribute(mount.place("staging/f"), RawPath("user.y"), [1])
            }
        ),
        (
            "remove an attribute",
            { mount throws(Errno) in try Syscall.removeAttribute(mount.place("staging/f"), RawPath("user.x"))
            }
        ),
        ("link", { mount throws(Errno) in try mount.link("staging/f", "staging/g") }),
        ("unlink", { mount throws(Errno) in try mount.unlink("staging/f") }),
        ("rename", { mount throws(Errno) in try mount.rename("staging/f", "staging/g") }),
        ("replace", { mount throws(Errno) in try mount.rename("staging/other", "staging/f") }),
        ("exchange", { mount throws(Errno) in try mount.rename("staging/other", "staging/f", .exchange) }),
        (
            "exchange back",
            { mount throws(Errno) in try mount.rename("staging/f", "staging/other", .exchange) }
        ),
        (
            "leave a whiteout",
            { mount throws(Errno) in try mount.rename("staging/f", "staging/g", .whiteout) }
        ),
    ]

    private let touch: Attempt = (
        "touch",
        { mount throws(Errno) in
            try Syscall.changeTimes(at: AT_FDCWD, mount.place("staging/f"), access: .now, modification: .now)
        }
    )

    private let append: Attempt = (
        "append",
        { mount throws(Errno) in
            let file = try mount.open("staging/f", O_WRONLY | O_APPEND)
            if Glibc.write(file.fd, "+", 1) != 1 { throw Errno(rawValue: errno) }
        }
    )

    // MARK: What they forbid

    @Test(.enabled(if: isRoot, "only root may set this flag"), arguments: [false, true], [false, true])
    func `an immutable file stays as it is until it is one no more`(
        isSealed: Bool, isPassedThrough: Bool
    ) throws {
        let options = isPassedThrough ? [] : ["--passthrough", "off"]
        try withFile("+i", isSealed: isSealed, options: options) { mount in
            let before = try mount.status("staging/f")
            expectRefused(changes + [touch, append], mount)
            #expect(try !chattr("+A", mount.staging + "/f"))
            #expect(try mount.read("staging/f") == "bytes")
            let after = try mount.status("staging/f")
            #expect(
                (after.st_ctim.tv_sec, after.st_ctim.tv_nsec) == (
                    before.st_ctim.tv_sec, before.st_ctim.tv_nsec
                ))
            #expect(after.st_nlink == 1)
            #expect(try mount.names("staging") == ["f", "other"])
            #expect(try chattr("-i", mount.staging + "/f"))
            expectAllowed([touch, append], mount)
            try mount.write("staging/f", "new")
            try mount.unlink("staging/f")
        }
    }

    @Test(.enabled(if: isRoot, "only root may set this flag"), arguments: [false, true], [false, true])
    func `a file that is only added to takes what is appended and nothing else`(
        isSealed: Bool, isPassedThrough: Bool
    ) throws {
        let options = isPassedThrough ? [] : ["--passthrough", "off"]
        try withFile("+a", isSealed: isSealed, options: options) { mount in
            expectRefused(changes, mount)
            expectAllowed([touch, append, append], mount)
            #expect(try mount.read("staging/f") == "bytes++")
            // Who has said to append cannot take it back.
            let file = try mount.open("staging/f", O_RDWR | O_APPEND)
            _ = fcntl(file.fd, F_SETFL, 0)
            #expect(failure { () throws(Errno) in try file.write("X", at: 0) } == .notPermitted)
            #expect(ftruncate(file.fd, 0) == -1 && errno == EPERM)
            // FALLOC_FL_PUNCH_HOLE and FALLOC_FL_KEEP_SIZE
            #expect(
                failure { () throws(Errno) in try Syscall.allocate(file.fd, mode: 3, offset: 0, length: 1) }
                    == .notPermitted)
            #expect(try mount.read("staging/f") == "bytes++")
            #expect(try chattr("-a", mount.staging + "/f"))
            try file.write("X", at: 0)
            #expect(try mount.read("staging/f") == "Xytes++")
        }
    }

    @Test(.enabled(if: isRoot, "only root may set this flag"))
    func `a mapping changes nothing of a file that is only added to`() throws {
        try withFile("+a", isSealed: false) { mount in
            let file = try mount.open("staging/f", O_RDWR | O_APPEND)
            let memory = mmap(nil, 5, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0)
            if let memory, memory != MAP_FAILED {
                memory.storeBytes(of: UInt8(ascii: "X"), as: UInt8.self)
                #expect(msync(memory, 5, MS_SYNC) == -1)
                munmap(memory, 5)
            }
            let kept = RawPath(mount.store + "/workspaces/main/upper/f")
            let below = try Syscall.open(at: AT_FDCWD, kept, O_RDONLY)
            #expect(try below.read(99) == "bytes")
        }
    }

    @Test(.enabled(if: isRoot, "only root may set this flag"))
    func `who had a file open for writing before it became immutable writes no more`() throws {
        try MountedStore.with(options: ["--passthrough", "off"]) { mount in
            try mount.write("staging/f", "bytes")
            let file = try mount.open("staging/f", O_RDWR)
            let source = try mount.open("staging/f", O_RDONLY)
            #expect(try chattr("+i", mount.staging + "/f"))
            #expect(failure { () throws(Errno) in try file.write("X", at: 0) } == .notPermitted)
            #expect(ftruncate(file.fd, 0) == -1 && errno == EPERM)
            #expect(fchmod(file.fd, 0o600) == -1 && errno == EPERM)
            let allocate = { () throws(Errno) in try Syscall.allocate(file.fd, mode: 0, offset: 0, length: 99)
            }
            #expect(failure(allocate) == .notPermitted)
            let copy = { () throws(Errno) in
                _ = try Syscall.copyRange(from: source.fd, at: 0, to: file.fd, at: 5, count: 5)
            }
            #expect(failure(copy) == .notPermitted)
            #expect(try mount.read("staging/f") == "bytes")
        }
    }

    @Test(.enabled(if: isRoot, "only root may set this flag"), arguments: [false, true], [false, true])
    func `names in an immutable directory, or one that is only added to`(isSealed: Bool, isImmutable: Bool)
        throws
    {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "bytes")
            try mount.makeDirectory("staging/d/in")
            try mount.write("staging/other", "other")
            if isSealed { try mount.commit() }
            #expect(try chattr(isImmutable ? "+i" : "+a", mount.staging + "/d"))
            let removals: [Attempt] = [
                ("unlink", { mount throws(Errno) in try mount.unlink("staging/d/f") }),
                (
                    "rmdir",
                    { mount throws(Errno) in
                        try Syscall.removeDirectory(at: AT_FDCWD, mount.place("staging/d/in"))
                    }
                ),
                ("rename out", { mount throws(Errno) in try mount.rename("staging/d/f", "staging/f") }),
                ("rename within", { mount throws(Errno) in try mount.rename("staging/d/f", "staging/d/g") }),
                ("replace", { mount throws(Errno) in try mount.rename("staging/other", "staging/d/f") }),
                (
                    "exchange",
                    { mount throws(Errno) in try mount.rename("staging/other", "staging/d/f", .exchange) }
                ),
                ("rename it", { mount throws(Errno) in try mount.rename("staging/d", "staging/e") }),
                (
                    "mode",
                    { mount throws(Errno) in
                        try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/d"), 0o700)
                    }
                ),
            ]
            let additions: [Attempt] = [
                ("create", { mount throws(Errno) in try mount.write("staging/d/new", "") }),
                ("mkdir", { mount throws(Errno) in try mount.makeDirectory("staging/d/newer") }),
                (
                    "symlink",
                    { mount throws(Errno) in
                        try Syscall.makeSymlink(
                            at: AT_FDCWD, mount.place("staging/d/l"), target: RawPath("x"))
                    }
                ),
                ("link", { mount throws(Errno) in try mount.link("staging/other", "staging/d/link") }),
                (
                    "rename into",
                    { mount throws(Errno) in try mount.rename("staging/other", "staging/d/moved") }
                ),
            ]
            expectRefused(removals, mount)
            if isImmutable { expectRefused(additions, mount) } else { expectAllowed(additions, mount) }
            // What lies in it is not bound.
            try mount.write("staging/d/f", "changed")
            try mount.write("staging/d/in/new", "new")
            #expect(try mount.read("staging/d/f") == "changed")
            #expect(try chattr(isImmutable ? "-i" : "-a", mount.staging + "/d"))
            try mount.unlink("staging/d/f")
            try mount.rename("staging/d", "staging/e")
        }
    }

    // MARK: Setting and showing

    @Test
    func `flags are set, shown, inherited and taken away, and no attribute of them is seen`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/f", "bytes")
            try mount.makeDirectory("staging/d")
            let before = try mount.status("staging/f")
            usleep(20_000)
            #expect(try flags(mount.staging + "/f") == "")
            #expect(try chattr("+dAS", mount.staging + "/f"))
            #expect(try flags(mount.staging + "/f") == "SdA")
            let after = try mount.status("staging/f")
            #expect(
                (after.st_ctim.tv_sec, after.st_ctim.tv_nsec) > (
                    before.st_ctim.tv_sec, before.st_ctim.tv_nsec
                ))
            #expect(after.st_mtim.tv_nsec == before.st_mtim.tv_nsec)
            #expect(after.st_ino == before.st_ino)
            #expect(try Syscall.attributeNames(at: AT_FDCWD, mount.place("staging/f")).isEmpty)
            #expect(try chattr("-A", mount.staging + "/f"))
            #expect(try flags(mount.staging + "/f") == "Sd")
            #expect(try !chattr("+c", mount.staging + "/f"))
            #expect(try !chattr("+j", mount.staging + "/f"))
            #expect(try !chattr("+d", mount.control))
            #expect(try chattr("+D", mount.staging + "/f"))
            #expect(try chattr("+dD", mount.staging + "/d"))
            try mount.makeDirectory("staging/d/in")
            try mount.write("staging/d/in/f", "")
            #expect(try flags(mount.staging + "/d/in") == "Dd")
            #expect(try flags(mount.staging + "/d/in/f") == "d")
            try mount.rename("staging/f", "staging/d/f")
            #expect(try flags(mount.staging + "/d/f") == "Sd")
            for place in ["f", "in"] {
                let set = { () throws(Errno) in
                    try Syscall.setAttribute(
                        mount.place("staging/d/\(place)"), RawPath("user.firn.flags"), [0x10])
                }
                #expect(failure(set) == .notPermitted)
            }
        }
    }

    @Test
    func `the extended form shows and sets the same flags`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            #expect(try chattr("+D", mount.staging + "/d"))
            // FS_IOC_FSGETXATTR and FS_IOC_FSSETXATTR; nodump is 0x80 here, a project number the fourth field.
            let script = """
                import fcntl, os, struct, sys
                file = os.open(sys.argv[1], os.O_RDONLY)
                get = lambda: fcntl.ioctl(file, 0x801c581f, bytes(28))
                set = lambda flags, project: fcntl.ioctl(file, 0x401c5820, struct.pack("IIIII8x", flags, 0, 0, project, 0))
                print(get() == bytes(28))
                set(0xc0, 0)
                print(struct.unpack("I24x", get())[0])
                for wrong in [(0x8000, 0), (0, 7)]:
                    try: set(*wrong)
                    except OSError as error: print(error.errno)
                """
            let outcome = try Shell.run(["/usr/bin/python3", "-c", script, mount.staging + "/d"])
            #expect(outcome.text == "True\n192\n\(EOPNOTSUPP)\n\(EOPNOTSUPP)\n", "\(outcome.complaints)")
            #expect(try flags(mount.staging + "/d") == "DdA")
            let listed = try Shell.run(["/usr/bin/lsattr", "-dp", mount.staging + "/d"]).text
            #expect(listed.hasPrefix("    0 -") && listed.hasSuffix(" \(mount.staging)/d\n"))
        }
    }

    // MARK: What they outlive

    @Test(.enabled(if: isRoot, "only root may set these flags"))
    func `flags are sealed, and outlive commit, remount and the daemon`() throws {
        try MountedStore.with { mount in
            for name in ["f", "log", "twice"] { try mount.write("staging/\(name)", name) }
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "bytes")
            try mount.commit()
            // Of what is sealed, new, and has two names.
            try mount.write("staging/new", "new")
            try mount.link("staging/twice", "staging/d/twice")
            let wanted = [
                "f": "i", "log": "a", "d": "Did", "new": "iA", "twice": "S", "d/twice": "S", "": "A",
            ]
            #expect(try chattr("+S", mount.staging + "/twice"))
            for (name, letters) in wanted where letters != "S" {
                #expect(try chattr("+\(letters)", mount.staging + "/" + name))
            }
            // Who reads a file over a commit keeps it staged.
            let reader = try mount.open("staging/log", O_RDONLY)
            let writer = try mount.open("staging/log", O_WRONLY | O_APPEND)
            #expect(Glibc.write(writer.fd, "+", 1) == 1)
            let expect = { (top: String, when: String) throws in
                for (name, letters) in wanted {
                    let shown = try flags(top + "/" + name)
                    #expect(Set(shown) == Set(letters), "\(name) \(when)")
                }
            }
            try expect(mount.staging, "staged")
            try mount.crashDaemon()
            try expect(mount.staging, "under another daemon")
            #expect(Glibc.write(writer.fd, "+", 1) == 1)
            try mount.commit()
            try expect(mount.staging, "after the commit")
            try expect(mount.versions + "/2", "in the version")
            #expect(try flags(mount.versions + "/1/f") == "")
            #expect(Glibc.write(writer.fd, "+", 1) == 1)
            #expect(try reader.read(99) == "log+++")
            #expect(failure { () throws(Errno) in try mount.unlink("staging/f") } == .notPermitted)
            #expect(failure { () throws(Errno) in try mount.unlink("staging/d/f") } == .notPermitted)
            // Laid over and filled once more.
            try mount.write("staging/d/f", "other")
            try mount.write("staging/twice", "other")
            #expect(try Syscall.attributeNames(at: AT_FDCWD, mount.place("versions/2/f")).isEmpty)
            #expect(try Syscall.attributeNames(at: AT_FDCWD, mount.place("staging/f")).isEmpty)
            #expect(try !chattr("-i", mount.versions + "/2/f"))
            #expect(try mount.run("diff", "1", "2").contains("flags none -> i"))
            mount.killDaemon()
            try mount.mount()
            try expect(mount.staging, "after a crash")
            try expect(mount.versions + "/2", "in the version after a crash")
            #expect(try mount.read("staging/log") == "log+++")
            try mount.commit()
            try mount.remount()
            try expect(mount.staging, "after the second commit and a remount")
            try mount.run("verify")
        }
    }

    @Test(.enabled(if: isRoot, "only root may set these flags"))
    func `Firn itself restores, drops, exports and imports what is flagged`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "bytes")
            #expect(try chattr("+a", mount.staging + "/d/f"))
            #expect(try chattr("+i", mount.staging + "/d"))
            try mount.commit()
            try mount.write("staging/new", "new")
            #expect(try chattr("+i", mount.staging + "/new"))
            #expect(try chattr("-i", mount.staging + "/d"))
            try mount.run("abort", "--yes")
            #expect(try mount.names("staging") == ["d"])
            #expect(try flags(mount.staging + "/d") == "i")
            #expect(try chattr("-a", mount.staging + "/d/f"))
            try mount.run("restore", "--force", "1", "d/f")
            #expect(try flags(mount.staging + "/d/f") == "a")
            let (copy, archive) = (mount.directory.appending("copy"), mount.directory.appending("copy.tar"))
            try mount.run("export", "1", copy)
            try mount.run("export", "1", archive)
            #expect(unlink(copy + "/d/f") == 0)
            try mount.run("export", "1:d/f", copy + "/d")
            try mount.run("import", "--no-commit", "--force", copy)
            #expect(try flags(mount.staging + "/d") == "i")
            #expect(try flags(mount.staging + "/d/f") == "a")
            try mount.run("import", "--no-commit", "--force", "--to", "again", archive)
            #expect(try flags(mount.staging + "/again/d") == "i")
            #expect(try flags(mount.staging + "/again/d/f") == "a")
            try mount.commit()
            #expect(try flags(mount.versions + "/2/again/d") == "i")
        }
    }

    // MARK: Who may set them

    @Test(.enabled(if: isRoot, "only root may act as others"))
    func `the owner sets what binds nobody, and root the rest`() throws {
        try MountedStore.with(options: ["--allow-other"]) { mount in
            for name in ["own", "other"] { try mount.write("staging/\(name)", "") }
            #expect(chown(mount.staging + "/own", 65534, 65534) == 0)
            for change in ["+i", "+a"] {
                #expect(try !chattr(change, mount.staging + "/own", as: "nobody"))
            }
            #expect(try chattr("+d", mount.staging + "/own", as: "nobody"))
            #expect(try !chattr("+d", mount.staging + "/other", as: "nobody"))
            #expect(try flags(mount.staging + "/own") == "d")
            #expect(try chattr("+i", mount.staging + "/own"))
            #expect(try !chattr("-i", mount.staging + "/own", as: "nobody"))
            #expect(try flags(mount.staging + "/own", as: "nobody") == "id")
        }
    }

    @Test(.enabled(if: isRoot && MountedStore.isAvailableToAnyone, "only root may act as others"))
    func `an ordinary user's mount keeps the flags that its user may set`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = "cd \(mount.staging) && echo 1 > f && chmod 444 f && mkdir d"
            let outcome = try Shell.run(Shell.command(["/bin/sh", "-c", script], as: "nobody"))
            #expect(outcome.status == 0, "\(outcome.complaints)")
            #expect(try chattr("+dA", mount.staging + "/f", as: "nobody"))
            #expect(try chattr("+D", mount.staging + "/d", as: "nobody"))
            #expect(try !chattr("+i", mount.staging + "/f", as: "nobody"))
            try mount.run("commit", "-m", "1")
            try mount.remount()
            #expect(try flags(mount.staging + "/f", as: "nobody") == "dA")
            #expect(try flags(mount.staging + "/d", as: "nobody") == "D")
            #expect(try flags(mount.versions + "/1/f", as: "nobody") == "dA")
            #expect(try chattr("-A", mount.staging + "/f", as: "nobody"))
            #expect(try flags(mount.staging + "/f", as: "nobody") == "d")
        }
    }
}
