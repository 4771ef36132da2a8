import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct InodeNumberTests {
    /// What may make a mount forget.
    enum Break: CaseIterable {
        case commit, remount, crash

        func apply(to mount: MountedStore) throws {
            switch self {
            case .commit: try mount.commit(#"{"allow_empty": true}"#)
            case .remount: try mount.remount()
            case .crash:
                mount.killDaemon()
                try mount.mount()
            }
        }
    }

    private static let breaks: [Break] = [.commit, .remount, .crash, .commit, .remount, .remount]

    /// After each break, what `paths` were before must have the same number at its present path.
    private func expectKept(
        _ known: [String: UInt64], _ mount: MountedStore, _ comment: String = ""
    ) throws {
        for (index, next) in InodeNumberTests.breaks.enumerated() {
            try next.apply(to: mount)
            for (path, number) in known.sorted(by: { $0.key < $1.key }) {
                let found = try mount.number("staging/\(path)")
                #expect(found == number, "\(path) after \(next), the break number \(index) \(comment)")
            }
        }
    }

    @Test
    func `new files of all kinds keep their numbers over commit, remount and crash`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.makeDirectory("staging/d/e")
            for path in ["f", "d/f", "d/e/f"] { try mount.write("staging/\(path)", path) }
            try Syscall.makeSymlink(at: AT_FDCWD, mount.place("staging/d/l"), target: RawPath("f"))
            try Syscall.makeNode(at: AT_FDCWD, mount.place("staging/d/p"), mode: S_IFIFO | 0o600, device: 0)
            // In the place of something that was there before.
            try mount.unlink("staging/d/f")
            try mount.write("staging/d/f", "again")
            try expectKept(try known(["d", "d/e", "f", "d/f", "d/e/f", "d/l", "d/p"], mount), mount)
        }
    }

    private func known(_ paths: [String], _ mount: MountedStore) throws -> [String: UInt64] {
        var known: [String: UInt64] = [:]
        for path in paths { known[path] = try mount.number("staging/\(path)") }
        #expect(Set(known.values).count == known.count, "\(known)")
        return known
    }

    @Test(arguments: [false, true])
    func `a number goes with a file that is renamed, copied up and changed`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.makeDirectory("staging/d/inner")
            for name in ["a", "b", "c", "x", "inner/f"] { try mount.write("staging/d/\(name)", name) }
            try Syscall.makeSymlink(at: AT_FDCWD, mount.place("staging/d/l"), target: RawPath("a"))
            if isSealed { try mount.commit() }
            try mount.remount()
            var known = try known(
                ["d", "d/a", "d/b", "d/c", "d/x", "d/l", "d/inner", "d/inner/f"], mount)
            // Copied up, then renamed; renamed, then copied up; over another; exchanged.
            try mount.write("staging/d/a", "+", flags: O_APPEND)
            try mount.rename("staging/d/a", "staging/d/a2")
            try mount.rename("staging/d/b", "staging/d/b2")
            try mount.write("staging/d/b2", "+", flags: O_APPEND)
            try Syscall.changeMode(at: AT_FDCWD, mount.place("staging/d/c"), 0o600)
            try mount.rename("staging/d/l", "staging/d/l2")
            try mount.rename("staging/d/inner", "staging/inner")
            try mount.rename("staging/d", "staging/e")
            try mount.rename("staging/e/x", "staging/e/c", .exchange)
            known = [
                "e": known["d"], "e/a2": known["d/a"], "e/b2": known["d/b"], "e/x": known["d/c"],
                "e/c": known["d/x"], "e/l2": known["d/l"], "inner": known["d/inner"],
                "inner/f": known["d/inner/f"],
            ].compactMapValues { $0 }
            #expect(known.count == 8)
            try expectKept(known, mount)
        }
    }

    @Test(arguments: [false, true])
    func `a file in the place of another has a number that was never seen there`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            var seen: Set<UInt64> = []
            for round in 0..<12 {
                if round % 3 == 2 { try mount.write("staging/d/f", "\(round)") }
                // As editors and checkpoints write: under another name first.
                try mount.write("staging/d/f.tmp", "\(round)")
                let number = try mount.number("staging/d/f.tmp")
                #expect(seen.insert(number).inserted, "round \(round)")
                try mount.rename("staging/d/f.tmp", "staging/d/f")
                #expect(try mount.number("staging/d/f") == number)
                if isSealed { try mount.commit() }
                if round % 4 == 3 { try mount.remount() }
                #expect(try mount.number("staging/d/f") == number, "round \(round)")
                if round % 3 == 1 {
                    try mount.unlink("staging/d/f")
                    if isSealed { try mount.commit() }
                }
            }
        }
    }

    @Test
    func `an open file that has lost its name shares its number with no other`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "1")
            let open = try mount.open("staging/d/f", O_RDONLY)
            try mount.unlink("staging/d/f")
            try mount.write("staging/d/f", "2")
            #expect(try open.status.st_ino != mount.status("staging/d/f").st_ino)
        }
    }

    @Test(arguments: [false, true])
    func `names of one file have one number, which one of them keeps when they part`(isLinkedLate: Bool)
        throws
    {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/f", "1")
            if isLinkedLate { try mount.commit() }
            for name in ["d/g", "h"] { try mount.link("staging/f", "staging/\(name)") }
            let paths = ["staging/f", "staging/d/g", "staging/h"]
            let number = try mount.number(paths[0])
            for next in [Break.remount, .crash] {
                try next.apply(to: mount)
                for path in paths.reversed() { #expect(try mount.number(path) == number) }
            }
            try mount.commit()
            let parted = try paths.map { try mount.number($0) }
            #expect(Set(parted).count == 3 && parted.contains(number), "\(parted) \(number)")
            let known = Dictionary(uniqueKeysWithValues: zip(["f", "d/g", "h"], parted))
            try expectKept(known, mount)
            for path in paths { #expect(try mount.status(path).st_nlink == 1) }
        }
    }

    @Test
    func `a file made without a name keeps its number when it gets one`() throws {
        try MountedStore.with { mount in
            let file = try mount.open("staging", O_RDWR | Syscall.nameless, mode: 0o640)
            let number = UInt64(try file.status.st_ino)
            try Syscall.link(file.fd, to: AT_FDCWD, mount.place("staging/x"))
            #expect(try mount.number("staging/x") == number)
            withExtendedLifetime(file) {}
            try mount.commit(#"{"open_files": "include"}"#)
            #expect(try mount.number("staging/x") == number)
        }
    }

    @Test
    func `a file that is open over a commit keeps its number, whatever the commit does with it`() throws {
        for policy in ["include", "skip"] {
            try MountedStore.with { mount in
                try mount.makeDirectory("staging/d")
                try mount.write("staging/d/f", "sealed")
                try mount.commit()
                try mount.unlink("staging/d/f")
                var file: Descriptor? = try mount.open("staging/d/f", O_CREAT | O_WRONLY)
                let number = try mount.number("staging/d/f")
                try file?.write("1", at: 0)
                try mount.commit("{\"open_files\": \"\(policy)\", \"allow_empty\": true}")
                #expect(UInt64(try file?.status.st_ino ?? 0) == number)
                file = nil
                try mount.remount()
                #expect(try mount.number("staging/d/f") == number)
                try mount.commit(#"{"allow_empty": true}"#)
                try mount.remount()
                #expect(try mount.number("staging/d/f") == number)
            }
        }
    }

    @Test
    func `what is restored is another file, and everything else stays the same`() throws {
        try MountedStore.with { mount in
            for directory in ["d", "d/in", "other"] { try mount.makeDirectory("staging/\(directory)") }
            for path in ["d/in/f", "d/g", "other/f", "top"] { try mount.write("staging/\(path)", path) }
            try mount.commit()
            try mount.rename("staging/d/g", "staging/d/h")
            try mount.write("staging/d/in/f", "2")
            try mount.rename("staging/top", "staging/other/top")
            try mount.commit()
            try mount.remount()
            let before = try mount.numbers(below: "staging")
            try mount.run("restore", "1", "d/in", "d/g", "top")
            try mount.remount()
            let after = try mount.numbers(below: "staging")
            let restored: Set = ["staging/d/in", "staging/d/in/f", "staging/d/g", "staging/top"]
            for (path, number) in after where !restored.contains(path) {
                #expect(number == before[path], "\(path)")
            }
            #expect(Set(after.values).count == after.count)
            let reused = restored.filter { after[$0] == nil || before.values.contains(after[$0] ?? 0) }
            #expect(reused.isEmpty)
            try mount.commit()
            try mount.remount()
            #expect(try mount.numbers(below: "staging") == after)
        }
    }

    @Test
    func `numbers are unique after the whole of staging was replaced, and an abort brings them back`() throws
    {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "1")
            try mount.write("staging/g", "1")
            try mount.commit()
            try mount.rename("staging/d/f", "staging/f")
            try mount.rename("staging/g", "staging/d/f")
            try mount.commit()
            let before = try mount.numbers(below: "staging")
            try mount.run("restore", "1")
            let restored = try mount.numbers(below: "staging")
            #expect(Set(restored.values).count == restored.count)
            #expect(Set(restored.values).isDisjoint(with: before.values))
            try mount.remount()
            #expect(try mount.numbers(below: "staging") == restored)
            try mount.run("abort", "--yes")
            #expect(try mount.numbers(below: "staging") == before)
            try mount.run("restore", "1")
            let again = try mount.numbers(below: "staging")
            try mount.commit()
            try mount.remount()
            #expect(try mount.numbers(below: "staging") == again)
        }
    }

    @Test
    func `an import has new numbers, which it keeps`() throws {
        try MountedStore.with { mount in
            let source = mount.directory.appending("source")
            let made = try Shell.run([
                "/bin/sh", "-c",
                "mkdir -p \(source)/d && cd \(source) && echo 1 > d/a && ln d/a b && ln -s b l",
            ])
            #expect(made.status == 0)
            try mount.makeDirectory("staging/data")
            try mount.write("staging/data/b", "old")
            try mount.commit()
            let before = try mount.numbers(below: "staging")
            try mount.run("import", source, "--to", "data", "--no-commit")
            let imported = try mount.numbers(below: "staging/data")
            #expect(imported["staging/data/b"] == imported["staging/data/d/a"])
            #expect(Set(imported.values).isDisjoint(with: before.values))
            try mount.unlink("staging/data/b")
            try mount.remount()
            let left = try mount.numbers(below: "staging/data")
            #expect(left == imported.filter { $0.key != "staging/data/b" })
            try mount.commit()
            try mount.remount()
            #expect(try mount.numbers(below: "staging/data") == left)
        }
    }

    @Test
    func `everything in the mount has a number of its own, and listings say the same`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            for index in 0..<40 { try mount.write("staging/d/\(index)", "\(index)") }
            try mount.commit(#"{"tags": ["t"]}"#)
            for index in 0..<20 { try mount.rename("staging/d/\(index)", "staging/d/moved\(index)") }
            for index in 0..<10 { try mount.write("staging/d/\(index)", "new") }
            try mount.commit()
            for index in 20..<30 { try mount.write("staging/d/\(index)", "changed") }
            try mount.unlink("staging/d/30")
            for isRemounted in [false, true] {
                if isRemounted { try mount.remount() }
                var numbers = [try mount.number("")]
                try expectListed(mount, "", &numbers)
                #expect(Set(numbers).count == numbers.count)
                #expect(numbers.count > 150)
            }
        }
    }

    /// Every line of every listing says what `stat` says, `.` and `..` too.
    private func expectListed(_ mount: MountedStore, _ path: String, _ numbers: inout [UInt64]) throws {
        let stream = try DirectoryStream("\(mount.mountpoint)/\(path)")
        while let line = stream.next() {
            let child = "\(path)/\(line.name)"
            // Above the mount is the kernel's affair.
            if path.isEmpty, line.name == ".." { continue }
            let status = try mount.status(child)
            #expect(line.inode == UInt64(status.st_ino), "\(child)")
            guard line.name != ".", line.name != ".." else { continue }
            numbers.append(line.inode)
            if status.st_mode & S_IFMT == S_IFDIR { try expectListed(mount, child, &numbers) }
        }
    }

    @Test
    func `numbers below versions are the same for ever, in every store`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/f", "1")
            try mount.commit(#"{"tags": ["t"]}"#)
            for _ in 0..<2 {
                // What they were when this was written; changing them breaks what programs have noted.
                #expect(try mount.number("versions") == 0x42d4_6071_427e_3633)
                #expect(try mount.number("versions/v000001") == 0x5407_fc32_7a6e_2451)
                #expect(try mount.number("versions/v000001/d") == 0x64ef_b4b1_4175_4d8d)
                #expect(try mount.number("versions/v000001/d/f") == 0x634c_4f2a_bd54_4461)
                try mount.remount()
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root may act as others"))
    func `an ordinary user's files keep their numbers, those that deny writing too`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = """
                cd \(mount.staging) && mkdir d && echo 1 > d/a && echo 1 > d/b && mkdir d/in && echo 1 > d/in/f &&
                ln -s a d/l && rm d/b && echo 2 > d/b && chmod 0444 d/a d/b && chmod 0555 d/in &&
                mv d/a d/a2 && ln d/b d/b2 && mv d/in d/in2 && mv d/l d/l2
                """
            let nobody = { (arguments: [String]) throws in
                let outcome = try Shell.run(Shell.command(arguments, as: "nobody"))
                #expect(outcome.status == 0, "\(outcome.complaints)")
                return outcome.text
            }
            let list = ["/bin/sh", "-c", "find \(mount.staging) -printf '%P %i %m\\n' | sort"]
            _ = try nobody(["/bin/sh", "-c", script])
            let before = try nobody(list)
            #expect(before.contains("a2 ") && before.contains(" 444") && before.contains(" 555"))
            try mount.remount()
            #expect(try nobody(list) == before)
            _ = try nobody(["/bin/sh", "-c", "cd \(mount.staging)/d && rm b2 && echo x > x && mv x y"])
            let sealed = try nobody(list)
            try mount.run("commit", "-m", "1")
            try mount.remount()
            #expect(try nobody(list) == sealed)
        }
    }
}
