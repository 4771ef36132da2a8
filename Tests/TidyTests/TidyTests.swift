import Foundation
import Testing

/// Rules of the source tree that a reader would otherwise have to watch: see `docs/ARCHITECTURE.md`.
@Suite struct TidyTests {
    /// What each module may import beside the standard library's own modules.
    private static let mayImport: [String: Set<String>] = [
        "Objects": ["CCrypto"],
        "Store": [
            "Objects", "CLinux", "CArchive", "GRDB", "SystemPackage", "Foundation", "Glibc", "Dispatch",
            "Synchronization",
        ],
        "VFS": ["Objects", "Store", "SystemPackage", "Synchronization"],
        "FUSE": [
            "Objects", "Store", "VFS", "CFuse", "CFuse3", "CLinux", "Glibc", "SystemPackage", "Logging",
        ],
        "Control": [
            "Objects", "Store", "CLinux", "Glibc", "SystemPackage", "Foundation", "Synchronization",
        ],
    ]

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func swiftFiles(below folder: String) throws -> [URL] {
        let top = root.appending(path: folder)
        let names = try #require(FileManager.default.enumerator(at: top, includingPropertiesForKeys: nil))
        return names.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    private static func imports(_ file: URL) throws -> [String] {
        try String(contentsOf: file, encoding: .utf8).split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), index <= 1, words.count > index + 1,
                index == 0 || ["internal", "public", "package", "private", "fileprivate"].contains(words[0])
            else { return nil }
            // `import class Foundation.Thread` names a declaration of a module.
            return String(words[words.count - 1].prefix { $0 != "." })
        }
    }

    @Test(arguments: ["Objects", "Store", "VFS", "FUSE", "Control"])
    func `a module imports only what it may`(module: String) throws {
        let allowed = try #require(TidyTests.mayImport[module])
        let files = try TidyTests.swiftFiles(below: "Sources/\(module)")
        #expect(!files.isEmpty)
        for file in files {
            for name in try TidyTests.imports(file) {
                #expect(allowed.contains(name), "\(file.lastPathComponent) imports \(name)")
            }
        }
    }

    @Test func `SQL stays in the store and the catalog stays in its folder`() throws {
        for file in try TidyTests.swiftFiles(below: "Sources")
        where try TidyTests.imports(file).contains("GRDB") {
            #expect(file.path().contains("/Store/Catalog/"), "\(file.lastPathComponent) imports GRDB")
        }
    }

    /// C's calls that change what is on a disk, or may.
    private static let changingCalls = [
        "open", "openat", "creat", "write", "pwrite", "writev", "pwritev", "copy_file_range", "sendfile",
        "splice", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "unlink",
        "unlinkat", "remove", "rmdir", "mkdir", "mkdirat", "mkdtemp", "mkstemp", "mknod", "mknodat", "mkfifo",
        "truncate", "ftruncate", "fallocate", "posix_fallocate", "chmod", "fchmod", "fchmodat", "chown",
        "fchown", "lchown", "fchownat", "utimes", "utimensat", "futimens", "fsync", "fdatasync", "sync",
        "syncfs", "ioctl", "fopen", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr",
        "fremovexattr", "setxattrat", "removexattrat", "clone",
    ]

    @Test func `every call of the store that changes a disk is a point at which tests can have it fail`()
        throws
    {
        // Functions of Swift with such names are methods, or throw.
        let names = TidyTests.changingCalls.joined(separator: "|")
        let call = try Regex("\\b(?:Glibc\\.|firn_)?(?:\(names))\\(")
        var count = 0
        for file in try TidyTests.swiftFiles(below: "Sources/Store") {
            let text = try String(contentsOf: file, encoding: .utf8).replacing(/\/\/.*|"[^"\n]*"/, with: "")
            for match in text.matches(of: call) {
                let before = text[..<match.range.lowerBound].suffix(200)
                if [".", "`", "try ", "func "].contains(where: before.hasSuffix) { continue }
                count += 1
                #expect(
                    before.contains(/changing\([^{]*, function\) \{\s*$/),
                    "\(file.lastPathComponent): \(text[match.range]) is not made through Syscall.changing")
            }
            let isCatalog = file.lastPathComponent == "Catalog.swift"
            for word in [
                "FileManager", "FileHandle", "write(to", "owner.write", "writeWithoutTransaction",
            ] {
                // The one place that all transactions go through; settings and the moving of the log, which changes nothing
                // that is stored.
                let inCatalog = ["owner.write": 3, "writeWithoutTransaction": 3]
                let allowed = isCatalog ? inCatalog[word] ?? 0 : 0
                #expect(text.ranges(of: word).count <= allowed, "\(file.lastPathComponent) uses \(word)")
            }
        }
        #expect(count > 20, "the search finds the calls there are: \(count)")
    }

    @Test func `only Reply answers the kernel`() throws {
        for file in try TidyTests.swiftFiles(below: "Sources/FUSE") {
            let answers = try String(contentsOf: file, encoding: .utf8).matches(of: /fuse_reply_(\w+)\(/)
            for answer in answers where answer.1 != "none" {
                let isRefusal = file.lastPathComponent == "Request.swift" && answer.1 == "err"
                #expect(
                    file.lastPathComponent == "Reply.swift" || isRefusal,
                    "\(file.lastPathComponent) calls fuse_reply_\(answer.1)")
            }
        }
    }

    @Test func `no file is too long to read at once, and every name says something`() throws {
        for file in try TidyTests.swiftFiles(below: "Sources") {
            let lines = try String(contentsOf: file, encoding: .utf8).split(
                separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.count <= 450, "\(file.lastPathComponent) has \(lines.count) lines")
            let name = file.deletingPathExtension().lastPathComponent.lowercased()
            // mount(8) calls the program for a filesystem type a helper.
            if name == "mounthelper" { continue }
            for vague in ["util", "helper", "manager", "common", "misc"] where name.hasSuffix(vague) {
                Issue.record("\(file.lastPathComponent) says nothing of what is in it")
            }
        }
    }
}
