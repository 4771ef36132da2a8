internal import Objects
internal import Store

/// The top of the mount: `staging/`, `versions/` and `.firn/`, nothing else and never anything else.
final class RootDirectory: Node, @unchecked Sendable {
    // Sendable because it is constant.
    private let fileSystem: FileSystem

    init(in fileSystem: FileSystem) {
        self.fileSystem = fileSystem
        super.init(id: .root, inode: InodeNumber.root, kind: .directory)
    }

    override func attributes() throws(VFSError) -> Attributes {
        .directory(inode: inode, mode: 0o555, owner: fileSystem.owner, time: fileSystem.started)
    }

    override func child(_ name: FileName) throws(VFSError) -> Node? { fileSystem.table.child(self, name) }

    override var listingOrder: ListingOrder { .constant }

    override func list() throws(VFSError) -> [DirectoryItem] {
        fileSystem.table.children(self).sorted { $0.key < $1.key }.map {
            DirectoryItem(name: $0.key, kind: $0.value.kind, inode: $0.value.inode)
        }
    }
}
