import Foundation
import Glibc
import Store
import SystemPackage
import TestSupport
import Testing

/// What a directory stream says while the directory changes.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct DirectoryStreamTests {
    @Test(arguments: [false, true])
    func `a stream goes back to where it was, and to the start for what there is now`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            for index in 0..<600 { try mount.write("staging/f\(index)", "") }
            if isSealed { try mount.commit() }
            let stream = try DirectoryStream(mount.staging)
            var places: [(position: Int, name: String)] = []
            while true {
                let position = stream.position
                guard let line = stream.next() else { break }
                places.append((position, line.name))
            }
            #expect(places.count == 602)
            for index in [601, 0, 300, 299, 1, 600] {
                stream.position = places[index].position
                #expect(stream.next()?.name == places[index].name, "place \(index)")
            }
            // Nothing of it shows before the stream is rewound.
            stream.position = places[10].position
            try mount.write("staging/new", "")
            try mount.unlink("staging/f7")
            stream.rewind()
            let names = Set(stream.rest().map(\.name))
            #expect(names.count == 600 && names.contains("new") && !names.contains("f7"))
            #expect(stream.next() == nil)
            stream.rewind()
            #expect(stream.rest().count == 600)
        }
    }

    @Test(arguments: [false, true])
    func `what stays is listed once while others make, move and remove names`(isSealed: Bool) throws {
        try MountedStore.with { mount in
            let staying = (0..<1500).map { "stays\($0)" }
            for name in staying { try mount.write("staging/\(name)", "") }
            for index in 0..<300 { try mount.write("staging/goes\(index)", "") }
            if isSealed { try mount.commit() }
            let changes = Changes(mount)
            for _ in 0..<12 {
                let stream = try DirectoryStream(mount.staging)
                var lines: [Listed] = []
                while let line = stream.next() { lines.append(line) }
                let found = lines.map(\.name).filter { $0.hasPrefix("stays") }
                #expect(found.count == staying.count && Set(found) == Set(staying))
                #expect(Set(lines.map(\.name)).count == lines.count, "a name is listed twice")
            }
            #expect(changes.stop() > 0)
        }
    }

    @Test
    func `what was listed or looked for in vain is forgotten when something else takes its place`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/a")
            try mount.makeDirectory("staging/a/b")
            for path in ["a/f", "a/b/g", "h"] { try mount.write("staging/\(path)", "1") }
            try mount.commit()
            _ = try Shell.run(["/bin/sh", "-c", "cd \(mount.staging) && rm -r a/b a/f h"])
            try mount.write("staging/a/new", "2")
            let outside = TestDirectory()
            _ = try Shell.run(["/bin/sh", "-c", "mkdir -p $0/in; echo x > $0/in/file", outside.path])
            /// What the kernel remembers must be of no consequence after `body`.
            func changes(_ top: Set<String>, _ inside: Set<String>, _ body: () throws -> Void) throws {
                let paths = ["a/f", "a/b", "a/b/g", "h", "in", "in/file"]
                for _ in 0..<2 {
                    for path in paths { _ = try? mount.status("staging/\(path)") }
                    for place in ["", "/a", "/a/b", "/in"] { _ = try? mount.listing("staging\(place)") }
                }
                try body()
                #expect(Set(try mount.listing("staging").map(\.name)).subtracting([".", ".."]) == top)
                #expect(Set(try mount.listing("staging/a").map(\.name)).subtracting([".", ".."]) == inside)
                for path in paths {
                    let parts = path.split(separator: "/").map(String.init)
                    let isThere =
                        parts[0] == "a" ? inside.contains(parts[1]) : top.contains(parts[0])
                    #expect(((try? mount.status("staging/\(path)")) != nil) == isThere, "\(path)")
                }
            }
            try changes(["a"], ["new", "b"]) { try mount.run("restore", "1", "a/b/g", "--force") }
            try changes(["a", "h"], ["new", "b"]) { try mount.run("restore", "1", "h", "--force") }
            try changes(["a", "h", "in"], ["new", "b"]) {
                try mount.run("import", "\(outside.path)/in", "--to", "in", "--no-commit")
            }
            try changes(["a", "h", "in"], ["new", "b"]) { try mount.commit() }
            try changes(["a", "h"], ["f", "b"]) { try mount.run("restore", "1", "--force") }
            try changes(["a", "h", "in"], ["new", "b"]) { try mount.run("abort", "--yes") }
        }
    }

    @Test func `a directory that moves shows its new parent, and one that is replaced holds nothing`() throws
    {
        try MountedStore.with { mount in
            for path in ["a", "b", "a/d", "b/e"] { try mount.makeDirectory("staging/\(path)") }
            try mount.write("staging/a/d/f", "1")
            try mount.commit()
            func parent(_ path: String) throws -> UInt64? {
                let stream = try DirectoryStream("\(mount.staging)/\(path)")
                while let line = stream.next() { if line.name == ".." { return line.inode } }
                return nil
            }
            for path in ["a/d", "b/e"] { for _ in 0..<2 { _ = try mount.listing("staging/\(path)") } }
            try mount.rename("staging/a/d", "staging/b/e", .exchange)
            #expect(try parent("b/e") == UInt64(mount.status("staging/b").st_ino))
            #expect(try parent("a/d") == UInt64(mount.status("staging/a").st_ino))
            try mount.rename("staging/b/e", "staging/a/g")
            #expect(try parent("a/g") == UInt64(mount.status("staging/a").st_ino))

            let open = try DirectoryStream("\(mount.staging)/a/g")
            #expect(open.rest().map(\.name) == ["f"])
            try mount.run("restore", "1", "--force")
            open.rewind()
            #expect(open.rest().isEmpty)
            #expect(try mount.listing("staging/a/d").map(\.name) == ["f"])
        }
    }

    @Test func `a file that is made or opened is there at once though it came from elsewhere`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/log", "1\n")
            try mount.commit()
            let appending = try RunningProcess([
                "/usr/bin/python3", "-c",
                """
                import errno, os, sys, time
                end = time.monotonic() + 3
                count = 0
                while time.monotonic() < end:
                    try:
                        os.close(os.open(sys.argv[1], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644))
                        count += 1
                    except OSError as error:
                        # The kernel looks a name up again once; two aborts may come in between.
                        if error.errno != errno.ESTALE: raise
                print(count > 0)
                """, "\(mount.staging)/log",
            ])
            for _ in 0..<20 {
                // Another may have it for a moment; whether it goes is not what is tested.
                try? mount.unlink("staging/log")
                try mount.run("abort", "--yes")
            }
            let ended = appending.wait()
            #expect(ended.text == "True\n", "\(ended.complaints)")
        }
    }

    /// Another thread that changes names of its own as fast as it can.
    private final class Changes: @unchecked Sendable {
        // Sendable because what changes is guarded by the lock.
        private let lock = NSLock()
        private var isStopping = false
        private var count = 0
        private let ended = DispatchSemaphore(value: 0)

        init(_ mount: MountedStore) {
            let staging = mount.staging
            Thread.detachNewThread { [self] in
                var round = 0
                while !lock.withLock({ isStopping }) {
                    let index = round % 300
                    unlink("\(staging)/goes\(index)")
                    close(open("\(staging)/new\(round)", O_CREAT | O_WRONLY, 0o600))
                    rename("\(staging)/new\(round)", "\(staging)/moved\(index)")
                    rename("\(staging)/moved\(index)", "\(staging)/goes\(index)")
                    round += 1
                    lock.withLock { count = round }
                }
                ended.signal()
            }
        }

        /// - Returns: how many rounds it made.
        func stop() -> Int {
            lock.withLock { isStopping = true }
            ended.wait()
            return lock.withLock { count }
        }
    }

    @Test
    func `a listing that goes on over a commit misses and repeats none`() throws {
        try MountedStore.with { mount in
            for index in 0..<2000 { try mount.write("staging/f\(index)", "") }
            let stream = try DirectoryStream(mount.staging)
            var names: [String] = []
            while let line = stream.next() {
                names.append(line.name)
                if names.count == 700 { try mount.commit() }
                if names.count == 1400 { try mount.commit(#"{"allow_empty": true}"#) }
            }
            #expect(names.count == 2002 && Set(names).count == 2002)
        }
    }

    /// 200,000 with FIRN_TEST_ENTRIES=200000.
    private static let entryCount =
        ProcessInfo.processInfo.environment["FIRN_TEST_ENTRIES"].flatMap { Int($0) } ?? 5_000

    @Test
    func `a large directory is made, listed and deleted while others list it`() throws {
        try MountedStore.with { mount in
            let count = DirectoryStreamTests.entryCount
            let large = "\(mount.staging)/large"
            try mount.makeDirectory("staging/large")
            // Lists as long as there is something to list, and counts names that come twice.
            let watcher = try RunningProcess([
                "/usr/bin/python3", "-c",
                """
                import os, sys, time
                repeated = lists = 0
                while os.path.isdir(sys.argv[1]):
                    try:
                        names = [e.name for e in os.scandir(sys.argv[1])]
                    except FileNotFoundError:
                        break
                    lists += 1
                    repeated += len(names) - len(set(names))
                    time.sleep(0.05)
                print(repeated, lists > 0)
                """, large,
            ])
            let made = try Shell.run([
                "/usr/bin/python3", "-c",
                "import os, sys\nfor i in range(int(sys.argv[2])): os.mknod(f'{sys.argv[1]}/f{i}')", large,
                String(count),
            ])
            #expect(made.status == 0, "\(made.complaints)")
            #expect(try mount.listing("staging/large").count == count)
            try mount.commit()
            let listed = try Shell.run(["/bin/sh", "-c", "ls -U \(large) | sort -u | wc -l"])
            #expect(listed.text == "\(count)\n")
            let removed = try Shell.run(["/usr/bin/rm", "-r", large])
            #expect(removed.status == 0, "\(removed.complaints)")
            let watched = watcher.wait()
            #expect(watched.text == "0 True\n", "\(watched.complaints)")
        }
    }
}
