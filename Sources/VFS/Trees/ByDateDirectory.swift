internal import Objects
internal import Store

/// `versions/by-date/` and the years, months and days below it, UTC. A day holds a symlink for each version
/// committed on it.
final class ByDateDirectory: Node, @unchecked Sendable {
    // Sendable because it is constant.
    /// Year, month and day as far as they are given: empty for `by-date/` itself.
    private let date: [Int]
    private let fileSystem: FileSystem

    private static let depthMax = 3

    init(id: NodeID, inode: UInt64, date: [Int], in fileSystem: FileSystem) {
        self.date = date
        self.fileSystem = fileSystem
        super.init(id: id, inode: inode, kind: .directory)
    }

    override var lifetime: Lifetime { .none }

    override func attributes() throws(VFSError) -> Attributes {
        let time = try matching().last?.time ?? fileSystem.started
        return .directory(inode: inode, mode: 0o555, owner: fileSystem.owner, time: time)
    }

    override func child(_ name: FileName) throws(VFSError) -> Node? {
        guard let item = try list().first(where: { $0.name == name }) else {
            fileSystem.table.removeLink(self, name)
            return nil
        }
        let inode = InodeNumber.sealed(name, in: self.inode)
        return fileSystem.table.child(self, name) { id in
            if item.kind == .directory {
                ByDateDirectory(id: id, inode: inode, date: date + [Int(name.display) ?? 0], in: fileSystem)
            } else {
                VersionAlias(
                    id: id, inode: inode, number: VersionNumber(Int64(name.display.dropFirst()) ?? 0),
                    prefix: Array("../../../../".utf8), lifetime: .none, in: fileSystem)
            }
        }
    }

    override func list() throws(VFSError) -> [DirectoryItem] {
        let names =
            try matching().map { version in
                date.count == ByDateDirectory.depthMax
                    ? version.number.description
                    : ByDateDirectory.name(date(of: version)[date.count], date.count)
            }
        let kind: EntryKind = date.count == ByDateDirectory.depthMax ? .symlink : .directory
        return Set(names).sorted().map { text in
            let name = FileName(unchecked: Array(text.utf8))
            return DirectoryItem(name: name, kind: kind, inode: InodeNumber.sealed(name, in: inode))
        }
    }

    private func matching() throws(VFSError) -> [VersionIndex.Listed] {
        try fileSystem.versions.snapshot().versions.filter { date(of: $0).starts(with: date) }
    }

    private func date(of version: VersionIndex.Listed) -> [Int] {
        let date = CivilDate(version.time)
        return [date.year, date.month, date.day]
    }

    private static func name(_ number: Int, _ depth: Int) -> String {
        depth > 0 && number < 10 ? "0\(number)" : "\(number)"
    }
}
