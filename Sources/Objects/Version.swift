/// A version's number: 1 for the first of a store, then upwards, never reused.
public struct VersionNumber: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let value: Int64

    public init(_ value: Int64) {
        self.value = value
    }

    /// `v000042`: at least six digits, so that `ls` lists them in order.
    public var description: String {
        let digits = String(value)
        return "v" + String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    public static func < (a: VersionNumber, b: VersionNumber) -> Bool { a.value < b.value }
}

/// A sealed version as the catalog knows it: its manifest, and what is not covered by the digest.
public struct Version: Hashable, Sendable {
    public let number: VersionNumber
    public let digest: Digest
    public let manifest: Manifest
    /// Bytes of blobs that no earlier version held, as stored.
    public let newBytes: UInt64
    public let newBlobs: UInt64
    public var isPinned: Bool
    /// In order of name.
    public var tags: [String]

    public init(
        number: VersionNumber, digest: Digest, manifest: Manifest, newBytes: UInt64, newBlobs: UInt64,
        isPinned: Bool, tags: [String]
    ) {
        self.number = number
        self.digest = digest
        self.manifest = manifest
        self.newBytes = newBytes
        self.newBlobs = newBlobs
        self.isPinned = isPinned
        self.tags = tags
    }

    /// Entries that are not directories.
    public var files: UInt64 { manifest.root.files }
    /// Sum of the sizes of all files, as `du --apparent-size` would count them.
    public var bytes: UInt64 { manifest.root.size }
}

/// A note added to a version after it was sealed; its digest does not cover it.
public struct Annotation: Hashable, Sendable {
    public let key: String
    public let value: String
    public let author: String
    public let time: Timestamp

    public init(key: String, value: String, author: String, time: Timestamp) {
        self.key = key
        self.value = value
        self.author = author
        self.time = time
    }
}
