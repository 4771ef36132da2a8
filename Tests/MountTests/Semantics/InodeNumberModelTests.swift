import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// Random changes of names, with commits, remounts and crashes between them: every file keeps its number, and no
/// other file ever has it.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"), .serialized)
struct InodeNumberModelTests {
    private static var seeds: [UInt64] {
        // One that has failed can be tried again: FIRN_TEST_SEED=17.
        if let given = ProcessInfo.processInfo.environment["FIRN_TEST_SEED"].flatMap({ UInt64($0) }) {
            return [given]
        }
        return [1, 2, 3]
    }

    @Test(arguments: seeds)
    func `a number belongs to one file, for as long as that lives`(seed: UInt64) throws {
        try MountedStore.with { mount in
            let run = NumberRun(seed: seed, mount)
            for step in 1...200 { try run.step(step) }
        }
    }
}

private final class NumberRun {
    private var random: SeededGenerator
    private let mount: MountedStore
    private let seed: UInt64
    private var history: [String] = []
    /// What there is, and the number it has.
    private var known: [String: UInt64] = [:]
    private var directories: Set<String> = ["staging"]
    /// Every number there ever was.
    private var seen: Set<UInt64> = []

    private static let names = ["a", "b", "c", "d", "e"]

    init(seed: UInt64, _ mount: MountedStore) {
        random = SeededGenerator(seed: seed)
        self.mount = mount
        self.seed = seed
    }

    func step(_ step: Int) throws {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<22: try make(isDirectory: false)
        case 22..<32: try make(isDirectory: true)
        case 32..<52: try rename()
        case 52..<62: try remove()
        case 62..<70: try link()
        case 70..<82: try change()
        case 82..<90: try commit()
        case 90..<96: try note("remount") { try mount.remount() }
        default:
            try note("crash") {
                mount.killDaemon()
                try mount.mount()
            }
        }
        let found = try mount.numbers(below: "staging")
        if found != known {
            let differences = Set(found.keys).union(known.keys).filter { found[$0] != known[$0] }.sorted().map
            {
                "\($0): \(known[$0].map { "\($0)" } ?? "nothing"), shown \(found[$0].map { "\($0)" } ?? "nothing")"
            }
            let last = history.suffix(30).joined(separator: "\n")
            Issue.record(
                "seed \(seed), step \(step):\n\(differences.joined(separator: "\n"))\nafter\n\(last)")
            throw MountedStore.Failure(description: "the numbers differ")
        }
    }

    private func note(_ text: String, _ body: () throws -> Void) rethrows {
        history.append(text)
        try body()
    }

    private func place() -> String {
        let directory = directories.sorted().randomElement(using: &random) ?? "staging"
        return "\(directory)/\(NumberRun.names.randomElement(using: &random) ?? "a")"
    }

    private func present() -> String? { known.keys.sorted().randomElement(using: &random) }

    private func make(isDirectory: Bool) throws {
        let path = place()
        guard known[path] == nil, path.count < 60 else { return }
        try note("make \(path)") {
            if isDirectory {
                try mount.makeDirectory(path)
            } else if history.count % 5 == 0 {
                try Syscall.makeSymlink(at: AT_FDCWD, mount.place(path), target: RawPath("x"))
            } else {
                try mount.write(path, path)
            }
        }
        if isDirectory { directories.insert(path) }
        try learn(path)
    }

    /// A new file: its number must be new, too.
    private func learn(_ path: String) throws {
        let number = try mount.number(path)
        let isNew = seen.insert(number).inserted
        #expect(isNew, "seed \(seed): \(path) has a number that was another's, after \(history.suffix(30))")
        known[path] = number
    }

    private func rename() throws {
        guard let old = present() else { return }
        let new = place()
        let mode: Syscall.RenameFlags = [[], .exchange, .noReplace].randomElement(using: &random) ?? []
        history.append("rename \(old) \(new) \(mode)")
        do throws(Errno) { try mount.rename(old, new, mode) } catch { return history.append("  \(error)") }
        // Two names of one file: nothing is to be done.
        if mode != .exchange, let number = known[new], number == known[old] { return }
        var moved: [(String, String)] = []
        for path in known.keys {
            if path == old || path.hasPrefix(old + "/") {
                moved.append((path, new + path.dropFirst(old.count)))
            }
            if mode == .exchange, path == new || path.hasPrefix(new + "/") {
                moved.append((path, old + path.dropFirst(new.count)))
            }
        }
        let (numbers, kinds) = (known, directories)
        known[new] = nil
        directories.remove(new)
        for (from, _) in moved {
            known[from] = nil
            directories.remove(from)
        }
        for (from, to) in moved {
            known[to] = numbers[from]
            if kinds.contains(from) { directories.insert(to) }
        }
    }

    private func remove() throws {
        guard let path = present() else { return }
        history.append("remove \(path)")
        if directories.contains(path) {
            // With all that is below it, as rm -r does.
            #expect(try Shell.run(["/usr/bin/rm", "-r", "\(mount.mountpoint)/\(path)"]).status == 0)
        } else {
            try mount.unlink(path)
        }
        known = known.filter { $0.key != path && !$0.key.hasPrefix(path + "/") }
        directories = directories.filter { $0 != path && !$0.hasPrefix(path + "/") }
    }

    private func link() throws {
        let path = place()
        guard let old = present(), !directories.contains(old), known[path] == nil else { return }
        try note("link \(old) \(path)") { try mount.link(old, path) }
        known[path] = known[old]
    }

    private func change() throws {
        guard let path = present() else { return }
        let status = try mount.status(path)
        if status.st_mode & S_IFMT == S_IFREG, history.count % 2 == 0 {
            try note("append \(path)") { try mount.write(path, "+", flags: O_APPEND) }
        } else if status.st_mode & S_IFMT != S_IFLNK {
            try note("chmod \(path)") {
                try Syscall.changeMode(at: AT_FDCWD, mount.place(path), status.st_mode & 0o777 ^ 0o007)
            }
        }
    }

    /// Names of one file become files of their own; one of them keeps the number.
    private func commit() throws {
        try note("commit") { try mount.commit(#"{"allow_empty": true}"#) }
        let groups = Dictionary(grouping: known.keys) { known[$0] ?? 0 }
        for (number, paths) in groups where paths.count > 1 {
            var keepers = 0
            for path in paths.sorted() {
                if try mount.number(path) == number { keepers += 1 } else { try learn(path) }
            }
            #expect(keepers == 1, "seed \(seed): \(paths) after \(history.suffix(30))")
        }
    }
}
