public import Objects
public import Store

extension Engine {
    /// What the store holds, what is staged, and where it is mounted.
    ///
    /// - Parameter listsChanges: whether every staged change is listed too.
    func status(listsChanges: Bool) throws(StoreError) -> JSONValue {
        let staged = try store.stagedCount(workspace)
        var staging = JSONValue.staging(
            workspace.name, base: try base(), staged, openForWriting: workspace.tracker.openCount,
            pendingHashes: hashing?.pendingCount ?? 0)
        if listsChanges { staging = staging.appending(["changes": try stagedChanges()]) }
        return try store.statusJSON().appending([
            "mount": hooks.mountStatus().map { JSONValue($0) } ?? .null,
            "staging": staging,
        ])
    }

    private func base() throws(StoreError) -> VersionNumber? {
        guard let digest = workspace.baseVersion else { return nil }
        return try store.version(digest)?.number
    }

    private func stagedChanges() throws(StoreError) -> JSONValue {
        let changes = try store.stagedChanges(workspace)
        return .array(
            changes.map {
                .path($0.path).appending([
                    "change": .string($0.kind.rawValue), "kind": .string($0.entryKind.text),
                    "bytes": .integer($0.size),
                ])
            })
    }

    /// Which store this is, as a JSON document with a newline at its end: what `.firn/store` shows, by which the tool
    /// finds the store of a mount.
    public func storeJSON() -> [UInt8] {
        let document: JSONValue = ["store": .string(storePath), "store_id": .string(store.format.id)]
        return Array((document.indented + "\n").utf8)
    }

    /// ``status`` as a JSON document with a newline at its end: what `.firn/status` shows. A store that cannot
    /// be read shows the error instead.
    public func statusJSON() -> [UInt8] {
        let document: JSONValue
        do throws(StoreError) { document = try status(listsChanges: false) } catch {
            document = ["store": .string(storePath), "error": JSONValue(error: error)]
        }
        return Array((document.indented + "\n").utf8)
    }
}

extension Store {
    /// The part of `firn status` that needs no owner.
    public func statusJSON() throws(StoreError) -> JSONValue {
        let totals = try totals()
        let disk = try filesystemStatus()
        return [
            "store": .string(path),
            "store_id": .string(format.id),
            "format": .integer(format.format),
            "firn_version": .string(Program.version),
            "latest": try latest().map { JSONValue($0) } ?? .null,
            "totals": JSONValue(totals),
            "disk": [
                "free_bytes": .integer(disk.availableBlocks &* disk.fragmentSize),
                "total_bytes": .integer(disk.blocks &* disk.fragmentSize),
            ],
        ]
    }
}

extension JSONValue {
    public init(_ totals: StoreTotals) {
        self = [
            "versions": .integer(totals.versions),
            "tags": .integer(totals.tags),
            "blobs": .integer(totals.blobs),
            "blob_bytes": .integer(totals.blobBytes),
            "logical_bytes": .integer(totals.logicalBytes),
        ]
    }

    static func staging(
        _ workspace: String, base: VersionNumber?, _ staged: StagedSummary, openForWriting: Int,
        pendingHashes: Int
    ) -> JSONValue {
        let head: JSONValue = ["workspace": .string(workspace), "base": .text(base?.description)]
        return head.appending(JSONValue(staged)).appending([
            "open_for_writing": .integer(openForWriting), "pending_hashes": .integer(pendingHashes),
        ])
    }

    /// What `firn status` says of a workspace that is not there yet.
    public static func nothingStaged(in workspace: String) -> JSONValue {
        .staging(workspace, base: nil, StagedSummary(), openForWriting: 0, pendingHashes: 0)
    }

    init(_ mount: MountStatus) {
        self = [
            "mountpoint": .string(mount.mountpoint),
            "pid": .integer(mount.pid),
            "passthrough": .bool(mount.isPassthrough),
            "passthrough_choice": .string(mount.passthroughChoice.rawValue),
            "supervised": .bool(mount.isSupervised),
            "read_only": .bool(mount.isReadOnly),
            "inodes": .integer(mount.inodes),
            "open_files": .integer(mount.openFiles),
            "started": .time(mount.started),
        ]
    }
}

extension EntryKind {
    /// The stable name in documents: `file`, `character_device`.
    public var text: String {
        switch self {
        case .file: "file"
        case .directory: "directory"
        case .symlink: "symlink"
        case .fifo: "fifo"
        case .socket: "socket"
        case .characterDevice: "character_device"
        case .blockDevice: "block_device"
        }
    }
}
