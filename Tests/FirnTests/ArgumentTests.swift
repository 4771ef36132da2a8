import ArgumentParser
import TestSupport
import Testing

@testable import firn

@Suite struct ArgumentTests {
    @Test func `every argument keeps its bytes`() {
        var generator = SeededGenerator(seed: 3)
        var samples: [[UInt8]] = [
            [], Array("plain é 😀".utf8), [0x61, 0xE9], [0xFF, 0xFE], Array("\u{10FFE9}x".utf8),
            Array("\u{10FFE9}".utf8) + [0xE9],
        ]
        for _ in 0..<500 {
            samples.append((0..<12).map { _ in .random(in: 1...255, using: &generator) })
        }
        for bytes in samples {
            #expect(RawArgument.bytes(RawArgument.string(bytes)) == bytes)
        }
        #expect(RawArgument.string(Array("é".utf8)) == "é")
        #expect(RawArgument.text(RawArgument.string([0x61, 0xE9])) == "a\u{FFFD}")
    }

    @Test(arguments: [
        ("v42", "v42", ""), ("v42:", "v42", ""), ("v42:a/b", "v42", "a/b"), ("best:a:b", "best", "a:b"),
        ("@2026-11-20:x", "@2026-11-20", "x"), ("@2026-11-20T12:00:00Z", "@2026-11-20T12:00:00Z", ""),
        ("@2026-11-20T12:00:00Z:a:b", "@2026-11-20T12:00:00Z", "a:b"),
    ])
    func `a colon parts a version from a path`(text: String, version: String, path: String) {
        let argument = VersionPathArgument(argument: text)
        #expect(argument?.version == version)
        #expect(argument?.path.text == path)
    }

    @Test func `a pair is cut at the first equals sign`() {
        #expect(CommitOptions.Pair(argument: "a=b=c")?.key == "a")
        #expect(CommitOptions.Pair(argument: "a=b=c")?.value == "b=c")
        #expect(CommitOptions.Pair(argument: "a=")?.value == "")
        #expect(CommitOptions.Pair(argument: "=b") == nil)
        #expect(CommitOptions.Pair(argument: "ab") == nil)
    }

    @Test(arguments: [
        ["commit", "-m", "x", "-t", "a", "-t", "b", "--metric", "auc=0.9", "--open-files", "wait=3"],
        ["snapshot"], ["log", "-n", "3"], ["tag", "-d", "a", "b"], ["diff", "a", "b", "--name-only"],
        ["forget", "--keep-last", "3", "-n"], ["unmount", "--lazy"], ["umount", "x"], ["ls", "-lR", "v1:a"],
        ["mount", "s", "m", "-o", "ro,allow_other", "--foreground"], ["restore", "v1", "a", "b", "--force"],
        ["status", "--store", "s", "--json"], ["gc", "--dry-run"],
    ])
    func `command lines that make sense`(arguments: [String]) {
        #expect(throws: Never.self) { try Firn.parseAsRoot(arguments) }
    }

    @Test(arguments: [
        ["dance"], ["commit", "--bogus"], ["commit", "-m"], ["commit", "--param", "novalue"], ["tag", "-d"],
        ["tag", "a", "b", "c"], ["tag", "-d", "a", "--force"], ["diff", "--stat", "--name-only"], ["forget"],
        ["forget", "v1", "--keep-last", "3"], ["forget", "v1", "--dry-run"], ["log", "-n", "-3"], ["cat"],
        ["mount", "s"], ["init"], ["init", "a", "b"],
    ])
    func `command lines that make none`(arguments: [String]) {
        #expect(throws: (any Error).self) { try Firn.parseAsRoot(arguments) }
    }
}
