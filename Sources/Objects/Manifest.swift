/// The document whose digest identifies a version: what was sealed, after what, when, by whom and why.
///
/// The parent's digest is part of it, so history is a hash chain: no version can be altered without altering
/// the digest of every later one. Layout: `docs/FORMAT.md`, "Manifests".
public struct Manifest: Hashable, Sendable {
    /// The root directory's own attributes and tree; its name is empty.
    public var root: TreeEntry
    /// The version this one was committed over; nil for the first.
    public var parent: Digest?
    /// When it was sealed, within what 64 bits of nanoseconds hold.
    public var time: Timestamp
    public var author: String
    public var message: String
    /// The execution record that made it, by the caller's own id.
    public var run: String?
    public var metadata: Metadata
    /// Which workspace was sealed.
    public var workspace: String
    /// The workspace's generation when it was sealed: recovery recognises a finished commit by it.
    public var generation: UInt64
    /// Files that a program could still write to at the seal, in order of path.
    public var openAtSeal: [OpenFile]

    /// A file that was open for writing when the version was sealed.
    public struct OpenFile: Hashable, Sendable {
        public let path: TreePath
        /// It changed while it was being captured, so its bytes may be of no single moment.
        public let isTorn: Bool

        public init(path: TreePath, isTorn: Bool) {
            self.path = path
            self.isTorn = isTorn
        }
    }

    public static let formatNumber: UInt64 = 1
    /// Of a manifest whose root has a time that release 0.1 cannot read.
    public static let wideFormatNumber: UInt64 = 2

    public init(
        root: TreeEntry, parent: Digest?, time: Timestamp, author: String, message: String,
        run: String? = nil, metadata: Metadata = Metadata(), workspace: String = "main",
        generation: UInt64 = 0, openAtSeal: [OpenFile] = []
    ) {
        self.root = root
        self.parent = parent
        self.time = time
        self.author = author
        self.message = message
        self.run = run
        self.metadata = metadata
        self.workspace = workspace
        self.generation = generation
        self.openAtSeal = openAtSeal.sorted { $0.path < $1.path }
    }

    public var digest: Digest { Digest.of(encoded()) }

    private var format: UInt64 { root.hasWideTime ? Manifest.wideFormatNumber : Manifest.formatNumber }

    public func encoded() -> [UInt8] {
        var writer = CBORWriter()
        writer.array(count: 11)
        writer.unsigned(format)
        root.encode(into: &writer)
        if let parent { writer.byteString(parent.bytes) } else { writer.null() }
        writer.signed(time.nanoseconds)
        writer.text(author)
        writer.text(message)
        if let run { writer.text(run) } else { writer.null() }
        metadata.encode(into: &writer)
        writer.text(workspace)
        writer.unsigned(generation)
        writer.array(count: openAtSeal.count)
        for file in openAtSeal {
            writer.array(count: 2)
            writer.byteString(file.path.bytes)
            writer.unsigned(file.isTorn ? 1 : 0)
        }
        return writer.bytes
    }

    /// - Throws: ``ObjectError`` `.malformed` for anything but the canonical bytes of a manifest.
    public init(decoding bytes: [UInt8]) throws(ObjectError) {
        var reader = CBORReader(bytes)
        try reader.array(of: 11)
        let format = try reader.unsigned()
        guard format == Manifest.formatNumber || format == Manifest.wideFormatNumber else {
            throw ObjectError(.malformed, "manifest of unknown format \(format)")
        }
        root = try TreeEntry(from: &reader, isRoot: true)
        guard root.kind == .directory else { throw reader.malformed("the root is not a directory") }
        guard root.hasWideTime == (format == Manifest.wideFormatNumber) else {
            throw reader.malformed("not a manifest of format \(format)")
        }
        parent = reader.null() ? nil : try reader.digest()
        time = Timestamp(nanoseconds: try reader.signed())
        author = try reader.text()
        message = try reader.text()
        run = reader.null() ? nil : try reader.text()
        metadata = try Metadata(from: &reader)
        workspace = try reader.text()
        generation = try reader.unsigned()
        var files: [OpenFile] = []
        for _ in 0..<(try reader.array()) {
            try reader.array(of: 2)
            let path = try reader.byteString()
            let flag = try reader.unsigned()
            guard flag <= 1 else { throw reader.malformed("flag out of range") }
            guard let plain = try? TreePath(path), plain.bytes == path, !plain.isRoot else {
                throw reader.malformed("path not in its plain form")
            }
            let file = OpenFile(path: plain, isTorn: flag == 1)
            if let last = files.last, !(last.path < file.path) {
                throw reader.malformed("paths out of order")
            }
            files.append(file)
        }
        openAtSeal = files
        try reader.end()
    }
}
