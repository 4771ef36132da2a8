internal import Glibc
internal import Objects
internal import SystemPackage

/// What a directory of `upper/` holds, but for directories, and what its entry is.
struct SealPart: Sendable {
    let place: Place
    let status: DigestCache.Key
    let directory: InodeNumbering.Directory
    /// What is to be looked at in any case.
    var directories: [FileName] = []
    var changes: [FileName: TreeChange] = [:]
    var noted: [FileName: UInt64?] = [:]
    /// Files whose bytes are to become objects.
    var files: [(name: FileName, digest: Digest, file: SealWalk.StagedFile)] = []
    var referenced: [Digest: UInt64] = [:]
    /// The backing inodes of all files.
    var inodes: [UInt64] = []
    var count = 0
    /// nil where something at any depth was left out.
    var entry: TreeEntry?

    /// The directory's own backing inode.
    var inode: UInt64 { status.inode }
}

extension SealWalk {
    struct StagedFile {
        let place: Place
        let size: UInt64
        let inode: UInt64
    }

    /// A directory on the way to where the walk is.
    struct Level {
        let found: UpperEntry
        /// By the way there, which costs no descriptor.
        let place: Place
        /// For looking at what it holds.
        let here: Place
        let path: TreePath
        let directory: InodeNumbering.Directory
        let keptBefore: Int
        /// What is still to be looked at.
        var names: [FileName]
        /// Directories that were found and are still to be walked.
        var branches: [Branch] = []
        var part: SealPart
        /// Whether nothing that the directory itself holds was left out, and nothing at any depth.
        var isPlain = true
        var isWhole = true
        /// Whether the part is one of a walk ahead.
        var isTakenOver = false
        /// Whether ``SealPart/entry`` was taken over and is still right.
        var isUnchanged = false

        mutating func leaveOut() {
            isPlain = false
            isWhole = false
        }

        /// A directory in it is done.
        ///
        /// - Parameter entry: nil where something of it was left out.
        mutating func take(_ entry: TreeEntry?) {
            guard let entry else {
                isWhole = false
                return
            }
            if part.changes.updateValue(.set(entry), forKey: entry.name) != .set(entry) {
                isUnchanged = false
            }
        }

        /// There is nothing of that name.
        mutating func drop(_ name: FileName) {
            if part.changes.removeValue(forKey: name) != nil { isUnchanged = false }
        }
    }

    struct ReadFile {
        let path: TreePath
        /// What its mark is to say when the version is stored: its bytes are those of a blob.
        let mark: UpperMark
    }

    /// What a file that is open for writing held at the seal.
    struct Capture {
        let digest: Digest
        let size: UInt64
        let isTorn: Bool
    }

    /// What lies at `place`, as far as it is to be read: see ``DigestCache``.
    func probe(_ place: Place) throws(StoreError) -> UpperEntry? {
        try workspace.overlay.probe(place, asItIs: isAhead) {
            trustsNotes ? workspace.digests.notes(of: $0) : nil
        }
    }

    /// Whether a file is another than when it was found. Who had it open then may have written to it and closed it
    /// before it was asked who has: the gate does not hold such writes up.
    func hasChanged(_ found: UpperEntry, at place: Place) throws(StoreError) -> Bool {
        let now = try system("look at", place.display) { () throws(Errno) in
            try Syscall.stat(at: place.fd, place.path)
        }
        return DigestCache.Key(now) != DigestCache.Key(found.status)
    }

    /// Reads the new trees, whose nodes are not in the catalog yet, beside the old ones.
    var trees: TreeStore {
        let (nodes, catalog) = (editor.newNodes, store.catalog)
        return TreeStore { digest throws(StoreError) in
            if let bytes = nodes[digest] { return bytes }
            return try catalog.nodeBytes(digest)
        }
    }
}
