import Control
import Foundation
import Objects
import Store
import TestSupport
import Testing

@testable import firn

/// The built program, on stores that are not mounted: what it says, and how it ends.
@Suite struct ToolTests {
    private let directory = TestDirectory()

    private var tool: Tool { Tool(store: directory.appending("store"), directory: directory.path) }

    /// A store with two versions: `one` holds `a` and `d/b`, `two` has another `a`.
    private func makeStore() throws -> Tool {
        try tool.run("init", "store")
        try write("in/a", "first")
        try write("in/d/b", "same")
        try tool.run(
            "import", "in", "-m", "the first", "-t", "one", "--param", "lr=3e-4", "--metric", "auc=0.9")
        try write("in/a", "second!")
        try tool.run("import", "in", "-m", "the second", "-t", "two")
        return tool
    }

    private func write(_ path: String, _ text: String) throws {
        let file = URL(fileURLWithPath: directory.appending(path))
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    @Test func `a word that is no command is named, with what may have been meant`() throws {
        let slip = try tool.run("comit")
        #expect(slip.status == 2)
        #expect(slip.errors == "firn: comit: there is no such command\n  hint: did you mean commit?\n")
        #expect(try tool.run("dance").errors.contains("firn --help"))
    }

    @Test func `an import that changes nothing says so of what was imported`() throws {
        let tool = try makeStore()
        let again = try tool.run("import", "in", "-m", "once more")
        #expect(again.status == 5)
        #expect(again.errors.hasPrefix("firn: in: it holds nothing that is new"))
    }

    @Test func `version and help go to standard output`() throws {
        let version = try tool.run("--version")
        #expect(version.status == 0)
        #expect(version.output == "\(Program.version)\n")
        let help = try tool.run("commit", "--help")
        #expect(help.status == 0)
        #expect(help.output.contains("EXAMPLES:") && help.errors.isEmpty)
    }

    @Test(arguments: [["dance"], ["commit", "--bogus"], ["cat"], ["forget"], ["commit", "--metric", "a=b"]])
    func `nonsense ends with 2 and says so on standard error`(arguments: [String]) throws {
        try tool.run("init", "store")
        let outcome = try tool.run(arguments)
        #expect(outcome.status == 2)
        #expect(outcome.output.isEmpty)
        #expect(outcome.errors.hasPrefix("firn: "))
    }

    @Test func `without a store there is nothing to do`() throws {
        var tool = tool
        tool.store = nil
        let outcome = try tool.run("log")
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("FIRN_STORE"))
        let named = try tool.run("log", "--store", directory.path)
        #expect(named.status == 1)
        #expect(named.errors.contains("this directory is not a store"))
        #expect(try tool.run("log", "--store", "nowhere").errors.contains("there is no store here"))
    }

    @Test(arguments: ["store", "status"])
    func `a mount says which store it shows, one of release 0.1 in its status`(name: String) throws {
        let tool = try makeStore()
        // Files do: what answers is the mount's affair.
        try write("mnt/.firn/\(name)", #"{"store": "\#(directory.appending("store"))", "mount": null}"#)
        try write("mnt/staging/d/f", "")
        let inside = Tool(directory: directory.appending("mnt/staging/d"))
        for outcome in [try inside.run("log"), try Tool().run("log", "--store", directory.appending("mnt"))] {
            #expect(outcome.status == 0)
            #expect(try outcome.output == tool.run("log").output)
        }
        try write("mnt/.firn/\(name)", "{}")
        let refused = try inside.run("log")
        #expect(refused.status != 0)
        #expect(refused.errors.contains("--store"))
    }

    @Test func `a store of a newer format is left alone`() throws {
        try tool.run("init", "store")
        try write("store/firn.json", #"{"format": 99, "id": "x", "created": "2026-11-20T00:00:00Z"}"#)
        for arguments in [["log"], ["commit", "-m", "x"], ["mount", "store", "mnt"]] {
            let outcome = try tool.run(arguments)
            #expect(outcome.status == 1)
            #expect(outcome.errors.contains("format 99"))
        }
    }

    @Test func `a store is made once, and not over other things`() throws {
        #expect(try tool.run("init", "store").status == 0)
        let status = try tool.run("status")
        #expect(status.status == 0, "\(status.errors)")
        #expect(status.output.contains("staged    nothing"))
        #expect(try tool.run("init", "store").errors.contains("there is a store here already"))
        try write("full/x", "")
        let outcome = try tool.run("init", "full")
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("not empty"))
    }

    @Test func `a day's work`() throws {
        let tool = try makeStore()
        let log = try tool.run("log")
        #expect(log.status == 0)
        #expect(log.output.split(separator: "\n").count == 3)
        #expect(
            try tool.run("log", "--json").json.elements.map { $0["message"].string } == [
                "the second", "the first",
            ])
        let show = try tool.run("show", "one", "--json").json
        #expect(show["params"]["lr"].string == "3e-4")
        #expect(show["metrics"]["auc"].decimal == 0.9)
        #expect(try tool.run("cat", "one:a").output == "first")
        #expect(try tool.run("cat", "two:a", "two:d/b").output == "second!same")
        #expect(try tool.run("ls", "-R", "one").output == "a\nd\nd/b\n")
        let diff = try tool.run("diff", "one", "two")
        #expect(diff.status == 0)
        #expect(diff.output.hasPrefix("M  a  (5 B -> 7 B)\n1 changed"))
        #expect(try tool.run("diff", "one", "one").output == "No differences.\n")
        #expect(try tool.run("diff", "--name-only").output == "a\n")
        #expect(try tool.run("du", "two:d").output.hasSuffix("4 B      1  d/\n"))
        #expect(try tool.run("du", "--json").json["versions"].integer == 2)
        #expect(try tool.run("verify").output.hasSuffix("all is well\n"))
        #expect(try tool.run("status", "--json").json["staging"]["entries"].integer == 0)
        #expect(try tool.run("restore", "one", "a").status == 0)
        let status = try tool.run("status", "--changes")
        #expect(status.output.contains("  M  a\n"))
        #expect(try tool.run("commit", "-m", "back").status == 0)
        #expect(try tool.run("cat", "latest:a").output == "first")
    }

    @Test func `a commit of nothing ends with 5 and makes nothing`() throws {
        let tool = try makeStore()
        let outcome = try tool.run("commit", "-m", "again")
        #expect(outcome.status == 5)
        #expect(outcome.errors.contains("nothing has changed since v000002"))
        #expect(try tool.run("commit", "--allow-empty", "-m", "again").status == 0)
        #expect(try tool.run("log", "--json").json.elements.count == 3)
    }

    @Test func `refusals say what was wrong and what to do`() throws {
        let tool = try makeStore()
        try write("bad.json", "{\"metrics\": {\"auc\": NaN}}")
        try write("cut.json", "{\"metrics\": ")
        try write("slip.json", "{\"metric\": {}}")
        let cases: [([String], [String])] = [
            (["show", "onee"], ["onee: there is no such version", "did you mean one?"]),
            (["show", "v9"], ["there is no such version"]),
            (["cat", "one:d/c"], ["v000001 has no such path", "d/b"]),
            (["cat", "one:d"], ["it is a directory"]),
            (["commit", "-t", "42"], ["a tag cannot shadow a version number"]),
            (["commit", "-t", "a b"], ["no tag may"]),
            (["tag", "one"], ["the tag is taken by v000001", "--force"]),
            (["tag", "-d", "on"], ["there is no such tag", "one"]),
            (["commit", "--metric", "auc=nan"], ["auc: the metric is nan"]),
            (["commit", "--metric", "auc=inf"], ["auc: the metric is inf"]),
            (["commit", "--metadata", "none.json"], ["none.json: cannot read the metadata file"]),
            (["commit", "--metadata", "bad.json"], ["bad.json: auc: the metric is nan"]),
            (["commit", "--metadata", "cut.json"], ["cut.json: not a JSON document: it ends in the middle"]),
            (["commit", "--metadata", "slip.json"], ["slip.json: metric", "did you mean 'metrics'?"]),
            (["commit", "--open-files", "maybe"], ["include, skip, wait"]),
            (["forget", "--keep-tag", "none"], ["no version has the only tags"]),
            (["forget", "--keep-within", "7"], ["7 has no unit"]),
            (["forget", "two"], ["latest version is never forgotten"]),
            (["forget", "one"], ["tag one"]),
            (["import", "none"], ["none: "]),
            (["export", "one", "in"], ["in: "]),
            (["unmount", "store"], ["nothing is mounted here"]),
            (["mount", "store", "none"], ["the mountpoint does not exist"]),
            (["mount", "store", "in"], ["the mountpoint is not empty"]),
            (["mount", "store", "in/a"], ["the mountpoint is not a directory"]),
            (["mount", "store", "mnt", "-o", "nonempty"], ["nonempty: there is no such mount option"]),
        ]
        for (arguments, expected) in cases {
            let outcome = try tool.run(arguments)
            #expect(outcome.status == 1, "\(arguments)")
            #expect(outcome.output.isEmpty, "\(arguments)")
            #expect(outcome.errors.hasPrefix("firn: "), "\(arguments)")
            for text in expected { #expect(outcome.errors.contains(text), "\(arguments): \(outcome.errors)") }
        }
        #expect(try tool.run("log", "--json").json.elements.count == 2)
    }

    @Test func `what would be lost is asked for`() throws {
        let tool = try makeStore()
        try tool.run("restore", "one")
        let refused = try tool.run("abort")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("--yes"))
        #expect(try tool.run("restore", "two", "a").errors.contains("staged changes that would be lost"))
        #expect(try tool.run("import", "in").errors.contains("a staged change that would"))
        #expect(try tool.run("abort", "--yes").output.hasPrefix("Threw away 1 change"))
        #expect(try tool.run("status", "--json").json["staging"]["entries"].integer == 0)
    }

    @Test func `an ambiguous digest names its candidates`() throws {
        try tool.run("init", "store")
        // Of a thousand digests some two surely begin with the same four digits.
        let store = try Store.open(at: directory.appending("store"), .owning)
        let workspace = try store.workspace()
        var request = CommitRequest()
        request.allowsEmpty = true
        var prefixes: Set<Substring> = []
        var shared = ""
        for _ in 0..<2000 where shared.isEmpty {
            let digest = try store.commit(workspace, request).version.digest.hex
            // Digits alone would be a version's number.
            guard digest.prefix(4).contains(where: \.isLetter) else { continue }
            if !prefixes.insert(digest.prefix(4)).inserted { shared = String(digest.prefix(4)) }
        }
        try store.close()
        let outcome = try tool.run("show", shared)
        #expect(outcome.status == 1)
        #expect(outcome.errors.contains("several versions have a digest that begins so"))
    }

    @Test func `damage is found by verify, by version and path, and ends with 3`() throws {
        let tool = try makeStore()
        let digest = try #require(
            tool.run("ls", "-R", "one", "--json").json.elements.first { $0["path"].string == "d/b" }?[
                "digest"
            ]
            .string)
        let object = directory.appending("store/objects/\(digest.prefix(2))/\(digest.dropFirst(2))")
        _ = try Shell.run("/bin/sh", "-c", "chmod u+w \(object) && printf evil > \(object)")
        let outcome = try tool.run("verify")
        #expect(outcome.status == 3)
        #expect(outcome.output.contains("damaged \(digest)"))
        #expect(outcome.output.contains("    v000001:d/b\n    v000002:d/b\n"))
        #expect(try tool.run("verify", "--json").json["problems"].elements.count == 1)
        _ = try Shell.run("/bin/rm", "-f", object)
        #expect(try tool.run("verify", "--quick").output.contains("missing \(digest)"))
        #expect(try tool.run("cat", "one:d/b").status == 3)
    }

    @Test func `forgetting is by policy, with reasons, and gc frees the space`() throws {
        let tool = try makeStore()
        try tool.run("tag", "-d", "one")
        let plan = try tool.run("forget", "--keep-last", "1", "--dry-run")
        #expect(plan.output.contains("latest, tag two, last version"))
        #expect(plan.output.hasSuffix("Would forget 1 version\n"))
        #expect(try tool.run("log", "--json").json.elements.count == 2)
        #expect(try tool.run("gc", "--dry-run", "--json").json["removed_blobs"].integer == 0)
        let outcome = try tool.run("forget", "--keep-last", "1", "--prune", "--json").json
        #expect(outcome["forgotten"] == ["v000001"])
        #expect(outcome["gc"]["removed_blobs"].integer == 1)
        #expect(try tool.run("show", "v1").errors.contains("the version has been forgotten"))
        #expect(try tool.run("verify").status == 0)
    }

    @Test func `a version goes out as a directory and as a tar archive`() throws {
        let tool = try makeStore()
        #expect(try tool.run("export", "one", "out").status == 0)
        #expect(try Shell.run("/bin/cat", directory.appending("out/d/b")).text == "same")
        #expect(try tool.run("export", "two", "two.tar").status == 0)
        let names = try Shell.run("/bin/tar", "-tf", directory.appending("two.tar")).text
        #expect(
            Set(names.split(separator: "\n").map { $0.drop { "./".contains($0) } }).isSuperset(of: [
                "a", "d/b",
            ]))
        #expect(try tool.run("export", "two", "two.tar").errors.contains("the file exists"))
        #expect(try tool.run("export", "two", "two.tar", "--force").status == 0)
        let stream = try tool.run("export", "one:d", "-")
        #expect(stream.status == 0)
        #expect(stream.output.contains("same"))
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.path)
        #expect(!left.contains { $0.contains("partial") })
    }

    @Test func `an archive is written to standard output under its other name, and into a fifo`() throws {
        let tool = try makeStore()
        let script = """
            set -e; cd '\(directory.path)'; mkfifo fifo
            \(Tool.path) export two /dev/stdout | tar -tf - > piped
            \(Tool.path) export two /dev/stdout > stdout.tar; tar -tf stdout.tar > file
            tar -tf fifo > read & \(Tool.path) export two fifo > /dev/null; wait
            cmp piped file; cmp piped read; test -p fifo; grep -q d/b piped
            """
        let process = try Shell.run(
            "/usr/bin/env", "FIRN_STORE=\(directory.appending("store"))", "/bin/sh", "-c", script)
        #expect(process.status == 0, "\(String(decoding: process.errors, as: UTF8.self))")
        #expect(try tool.run("verify").status == 0)
    }

    @Test(.enabled(if: TestHost.isRoot, "only root makes devices"))
    func `a device is written into and stays, a disk only if that is asked for`() throws {
        let tool = try makeStore()
        // Copies of /dev/null, and a disk that no driver has.
        let script = "cd '\(directory.path)'; mknod null c 1 3; mknod null.tar.gz c 1 3; mknod disk b 240 77"
        try #require(try Shell.run("/bin/sh", "-ec", script).status == 0)
        for (name, option) in [("null", "--force"), ("null.tar.gz", "--force"), ("null", "--json")] {
            let outcome = try tool.run("export", "two", name, option)
            #expect(outcome.status == 0, "\(outcome.errors)")
        }
        #expect(try tool.run("export", "two", "disk").errors.contains("disk: it is a disk"))
        #expect(try tool.run("export", "two", "disk", "--force").status != 0)
        let kinds = try Shell.run(
            "/bin/sh", "-c", "cd '\(directory.path)'; stat -c '%F %t:%T' null null.tar.gz disk; ls -a")
        #expect(
            kinds.text.hasPrefix(
                "character special file 1:3\ncharacter special file 1:3\nblock special file f0:4d\n"))
        #expect(!kinds.text.contains("partial"))
    }

    @Test func `names that are not UTF-8 can be typed and come out as they are`() throws {
        try tool.run("init", "store")
        let script = """
            set -e; cd \(directory.path); mkdir in; printf odd > "$(printf 'in/caf\\351')"
            \(Tool.path) import in -m odd > /dev/null
            \(Tool.path) ls latest
            \(Tool.path) cat "$(printf 'latest:caf\\351')"
            """
        let process = try Shell.run(
            "/usr/bin/env", "FIRN_STORE=\(directory.appending("store"))", "/bin/sh", "-c", script)
        #expect(process.output == Array("caf".utf8) + [0xE9, 0x0A] + Array("odd".utf8))
        #expect(try tool.run("ls", "--json").json.elements.first?["path_base64"].string == "Y2Fm6Q==")
    }

    @Test func `what was exported as an archive can be imported, by name and from standard input`() throws {
        let tool = try makeStore()
        for name in ["a.tar", "a.tar.gz", "a.tgz", "a.tar.zst"] {
            #expect(try tool.run("export", "two", name).status == 0)
            let again = try tool.run("import", name, "--to", name, "--json")
            #expect(again.json["imported"]["files"].integer == 2, "\(again.errors)")
        }
        let magic = try Data(contentsOf: URL(filePath: directory.appending("a.tgz"))).prefix(2)
        #expect(Array(magic) == [0x1F, 0x8B])
        let script = """
            set -e; cd '\(directory.path)'; mkdir "$(printf 'caf\\351')"; echo x > "$(printf 'caf\\351/y')"
            \(Tool.path) export two - | \(Tool.path) import - --to piped > /dev/null
            \(Tool.path) import "$(printf 'caf\\351')" --to odd > /dev/null
            tar -cf "$(printf 'caf\\351.tar')" "$(printf 'caf\\351')"
            \(Tool.path) import "$(printf 'caf\\351.tar')" --to odd-tar > /dev/null
            \(Tool.path) cat latest:odd/y; \(Tool.path) ls latest:piped
            """
        let process = try Shell.run(
            "/usr/bin/env", "FIRN_STORE=\(directory.appending("store"))", "/bin/sh", "-c", script)
        #expect(process.status == 0, "\(String(decoding: process.errors, as: UTF8.self))")
        #expect(process.text.hasPrefix("x\n"))
    }

    @Test
    func
        `an archive that is refused names the entry and changes nothing, a target of another kind is refused`()
        throws
    {
        let tool = try makeStore()
        let script = "cd '\(directory.path)'; echo x > x; tar -P --transform='s,^,../,' -cf evil.tar x"
        try #require(try Shell.run("/bin/sh", "-c", script).status == 0)
        let refused = try tool.run("import", "evil.tar")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("../x"))
        #expect(try tool.run("log", "--json").json.elements.count == 2)
        for name in ["a.tar.xz", "a.zip"] {
            let outcome = try tool.run("export", "two", name)
            #expect(outcome.status == 2)
            #expect(outcome.errors.contains(".tar.zst"))
            #expect(!FileManager.default.fileExists(atPath: directory.appending(name)))
        }
        #expect(try tool.run("export", "two", "b.zip/").status == 0)
    }

    @Test func `a full disk behind standard output is an error`() throws {
        let tool = try makeStore()
        let process = try Shell.run(
            "/usr/bin/env", "FIRN_STORE=\(tool.store ?? "")", "/bin/sh", "-c",
            "\(Tool.path) log > /dev/full; echo $?")
        #expect(process.text == "1\n")
    }

    @Test func `a command waits for nobody when another owns the store`() throws {
        let tool = try makeStore()
        let store = try Store.open(at: directory.appending("store"), .owning)
        let outcome = try tool.run("commit", "--allow-empty")
        #expect(outcome.status == 4)
        #expect(outcome.errors.contains("another process owns the store"))
        // Readers do not mind.
        #expect(try tool.run("log").status == 0)
        #expect(try tool.run("status").status == 0)
        try store.close()
    }

    @Test func `an archive of little that unpacks to much takes disk and no memory`() throws {
        let tool = try makeStore()
        // 256 MiB of blanks in a gzip file of 1 MiB, which has no end, so that nothing is kept of it.
        let script = """
            import gzip, resource, subprocess, sys, tarfile
            entry = tarfile.TarInfo("bomb")
            entry.size = 256 << 20
            with gzip.open("bomb", "wb", 1) as file:
                file.write(entry.tobuf())
                for _ in range(256): file.write(b" " * (1 << 20))
            done = subprocess.run(sys.argv[1:])
            print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10)
            """
        let process = try Shell.run(
            "/usr/bin/env", "-C", directory.path, "/usr/bin/python3", "-c", script, Tool.path, "import",
            "--store", tool.store ?? "", "bomb")
        let words = process.text.split(whereSeparator: \.isWhitespace)
        #expect(words.first == "1")
        #expect(String(decoding: process.errors, as: UTF8.self).contains("cut short"))
        #expect(try #require(words.last.flatMap { Int($0) }) < 128)
    }
}
