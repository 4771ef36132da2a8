internal import Objects
internal import Store

/// `versions/`: a directory for each version, a symlink for each tag, `latest` and `by-date/`. Other names by
/// which a version can be called resolve as symlinks without being listed.
final class VersionsDirectory: Node, @unchecked Sendable {
    // Sendable because it is constant.
    private let fileSystem: FileSystem

    static let latest = FileName(literal: "latest")
    static let byDate = FileName(literal: "by-date")

    init(id: NodeID, in fileSystem: FileSystem) {
        self.fileSystem = fileSystem
        super.init(id: id, inode: InodeNumber.versions, kind: .directory)
    }

    override func attributes() throws(VFSError) -> Attributes {
        let time = try fileSystem.versions.snapshot().latest?.time ?? fileSystem.started
        return .directory(inode: inode, mode: 0o555, owner: fileSystem.owner, time: time)
    }

    override func child(_ name: FileName) throws(VFSError) -> Node? {
        if name == VersionsDirectory.byDate { return fileSystem.byDate }
        let snapshot = try fileSystem.versions.snapshot()
        if let number = VersionsDirectory.number(name) {
            // One that was made just now is shown once all know of it. As an alias it would lead to itself.
            guard let version = snapshot[number] else { return nil }
            return fileSystem.table.child(self, name) { id in
                SealedNode(
                    id: id, inode: InodeNumber.version(number), entry: version.root, of: number,
                    in: fileSystem)
            }
        }
        guard let number = try resolve(name, snapshot) else {
            fileSystem.table.removeLink(self, name)
            return nil
        }
        // An alias that has moved is another symlink: a new node, since the kernel keeps what a node said.
        if let present = fileSystem.table.child(self, name) as? VersionAlias, present.number != number {
            fileSystem.table.removeLink(self, name)
        }
        // Other names may lead elsewhere without a change of theirs: `latest~2` after a commit.
        let lifetime: Lifetime =
            snapshot.tags[name.display] == nil && name != VersionsDirectory.latest ? .none : .unlimited
        return fileSystem.table.child(self, name) { id in
            VersionAlias(
                id: id, inode: InodeNumber.sealed(name, in: inode), number: number, prefix: [],
                lifetime: lifetime, in: fileSystem)
        }
    }

    /// What led, or leads now, to something else in one snapshot than in the other, of what the kernel keeps.
    static func changedNames(_ before: VersionIndex.Snapshot, _ after: VersionIndex.Snapshot) -> [FileName] {
        var names: [String] = []
        if !before.isBeginning(of: after) {
            names = before.versions.map(\.number).filter { after[$0] == nil }.map(\.description)
        }
        names += before.tags.filter { after.tags[$0.key] != $0.value }.map(\.key)
        // A tag that is new may have been another name for a version without being one.
        names += after.tags.keys.filter { before.tags[$0] == nil }
        return names.map { FileName(unchecked: Array($0.utf8)) }
            + (before.latest?.number == after.latest?.number ? [] : [VersionsDirectory.latest])
    }

    /// The number of a version's own name, in the one way it is written.
    private static func number(_ name: FileName) -> VersionNumber? {
        guard name.bytes.first == UInt8(ascii: "v"), let value = Int64(name.display.dropFirst()) else {
            return nil
        }
        let number = VersionNumber(value)
        return Array(number.description.utf8) == name.bytes ? number : nil
    }

    private func resolve(_ name: FileName, _ snapshot: VersionIndex.Snapshot) throws(VFSError)
        -> VersionNumber?
    {
        guard let text = String(validating: name.bytes, as: UTF8.self) else { return nil }
        if name == VersionsDirectory.latest { return snapshot.latest?.number }
        if let number = snapshot.tags[text] { return number }
        do throws(StoreError) { return try fileSystem.store.resolve(text).number } catch {
            switch error.code {
            case .unknownVersion, .ambiguousVersion, .unknownTag, .invalidInput: return nil
            default: throw VFSError(error)
            }
        }
    }

    override func list() throws(VFSError) -> [DirectoryItem] {
        let snapshot = try fileSystem.versions.snapshot()
        var items = [item(VersionsDirectory.byDate, .directory, fileSystem.byDate.inode)]
        for version in snapshot.versions {
            let name = FileName(unchecked: Array(version.number.description.utf8))
            items.append(item(name, .directory, InodeNumber.version(version.number)))
        }
        let aliases = snapshot.tags.keys.map { FileName(unchecked: Array($0.utf8)) }
        for name in aliases + (snapshot.latest == nil ? [] : [VersionsDirectory.latest]) {
            items.append(item(name, .symlink, InodeNumber.sealed(name, in: inode)))
        }
        return items.sorted { $0.name < $1.name }
    }

    private func item(_ name: FileName, _ kind: EntryKind, _ inode: UInt64) -> DirectoryItem {
        DirectoryItem(name: name, kind: kind, inode: inode)
    }
}

/// A symlink to a version's directory.
final class VersionAlias: Node, @unchecked Sendable {
    // Sendable because it is constant.
    let number: VersionNumber
    /// What leads from the symlink's directory to `versions/`.
    private let prefix: [UInt8]
    private let fileSystem: FileSystem
    override var lifetime: Lifetime { keptFor }
    private let keptFor: Lifetime

    /// - Parameter lifetime: `.unlimited` only where ``VersionsDirectory/changedNames(_:_:)`` sees every change.
    init(
        id: NodeID, inode: UInt64, number: VersionNumber, prefix: [UInt8], lifetime: Lifetime,
        in fileSystem: FileSystem
    ) {
        self.number = number
        self.prefix = prefix
        keptFor = lifetime
        self.fileSystem = fileSystem
        super.init(id: id, inode: inode, kind: .symlink)
    }

    override func attributes() throws(VFSError) -> Attributes {
        let time = try fileSystem.versions.snapshot()[number]?.time ?? fileSystem.started
        return Attributes(
            inode: inode, kind: .symlink, mode: 0o777, linkCount: 1, uid: fileSystem.owner.uid,
            gid: fileSystem.owner.gid, size: UInt64(try target().count), blocks: 0, atime: time, mtime: time,
            ctime: time)
    }

    override func target() throws(VFSError) -> [UInt8] { prefix + Array(number.description.utf8) }
}
