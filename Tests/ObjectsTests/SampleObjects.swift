import Objects

/// Objects that between them use every field and every kind of value.
enum Sample {
    static func digest(of text: String) -> Digest { Digest.of(Array(text.utf8)) }

    static func file(_ name: FileName, size: UInt64 = 5) -> TreeEntry {
        TreeEntry(
            name: name, kind: .file, mode: 0o644, uid: 1000, gid: 1000, size: size,
            mtime: Timestamp(nanoseconds: 1_700_000_000_123_456_789), content: .blob(digest(of: "hello")))
    }

    static func entry(_ name: [UInt8], _ kind: EntryKind, mode: UInt16, content: Content) -> TreeEntry {
        TreeEntry(
            name: FileName(unchecked: name), kind: kind, mode: mode, uid: 0, gid: 6, size: 0,
            mtime: Timestamp(nanoseconds: 0), content: content)
    }

    static let oneFile = TreeNode.leaf([file(FileName(literal: "a"))])

    /// One entry of each kind, in order of name.
    static let everyKind: TreeNode = {
        var directory = entry(
            Array("bin".utf8), .directory, mode: 0o2755, content: .tree(digest(of: "tree"), files: 3))
        directory.size = 123_456_789_012
        var empty = entry(Array("empty".utf8), .file, mode: 0o400, content: .blob(Digest.of([])))
        empty.mtime = Timestamp(nanoseconds: -1)
        var link = entry(
            Array("link".utf8), .symlink, mode: 0o777, content: .target(Array("../a/".utf8) + [0xff]))
        link.size = 6
        let model = TreeEntry(
            name: FileName(literal: "model.bin"), kind: .file, mode: 0o644, uid: 1000, gid: 1000,
            size: 1 << 32, mtime: Timestamp(nanoseconds: 1), content: .blob(digest(of: "model")),
            xattrs: [
                ExtendedAttribute(name: Array("user.origin".utf8), value: Array("s3://bucket/key".utf8)),
                ExtendedAttribute(name: Array("user.empty".utf8), value: []),
            ])
        var raw = entry([0xff, 0xfe], .file, mode: 0o7777, content: .blob(digest(of: "raw")))
        raw.uid = .max
        raw.gid = .max
        raw.size = .max
        raw.mtime = Timestamp(nanoseconds: .min)
        return .leaf([
            entry(Array("Device".utf8), .blockDevice, mode: 0o660, content: .device(0x800)),
            directory,
            entry(Array("console".utf8), .characterDevice, mode: 0o600, content: .device(0x501)),
            empty, link, model,
            entry(Array("pipe".utf8), .fifo, mode: 0o640, content: .none),
            entry(Array("sock".utf8), .socket, mode: 0o755, content: .none),
            raw,
        ])
    }()

    static let inner = TreeNode.inner(
        level: 2,
        [
            .init(
                lastName: FileName(literal: "m"), digest: digest(of: "left"), count: 300, files: 299,
                bytes: 70_000),
            .init(
                lastName: FileName(unchecked: Array(repeating: 0xfe, count: 255)),
                digest: digest(of: "right"), count: 1, files: 0, bytes: .max),
        ])

    /// Times on both sides of what 64 bits of nanoseconds hold.
    static let wideTimes: TreeNode = {
        var entries = ["a", "b", "c"].map { file(FileName(literal: $0)) }
        entries[0].mtime = Timestamp(seconds: .min, nanoseconds: 0)
        entries[1].mtime = Timestamp(nanoseconds: .max)
        entries[2].mtime = Timestamp(seconds: 9_223_372_036, nanoseconds: 854_775_808)
        return .leaf(entries)
    }()

    static let root = TreeEntry(
        name: .root, kind: .directory, mode: 0o755, uid: 1000, gid: 100, size: 8192,
        mtime: Timestamp(nanoseconds: 1_763_632_205_000_000_000),
        content: .tree(Digest.of(everyKind.encoded()), files: 8))

    static let firstManifest = Manifest(
        root: root, parent: nil, time: Timestamp(nanoseconds: 1_763_632_205_000_000_001), author: "",
        message: "")

    static let wideManifest: Manifest = {
        var manifest = firstManifest
        manifest.root.mtime = Timestamp(seconds: .min, nanoseconds: 999_999_999)
        return manifest
    }()

    static let fullManifest = Manifest(
        root: root, parent: firstManifest.digest, time: Timestamp(nanoseconds: -5), author: "mara@gpu3",
        message: "épreuve 2\nsecond line", run: "run-7",
        metadata: Metadata(
            params: ["lr": "3e-4", "épochs": "3", "batch": ""],
            metrics: [
                "auc": 0.93, "zero": -0.0, "tiny": Double.leastNonzeroMagnitude,
                "big": 1.7976931348623157e308,
            ],
            meta: ["site": "basement"]),
        workspace: "sweep-3", generation: .max,
        openAtSeal: [
            .init(path: TreePath(names: [FileName(literal: "logs"), FileName(literal: "t")]), isTorn: true),
            .init(
                path: TreePath(names: [FileName(literal: "a"), FileName(unchecked: [0xff])]), isTorn: false),
        ])
}
