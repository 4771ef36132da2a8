internal import Objects
internal import Store
internal import TestSupport
internal import VFS

/// Writes to sealed files as a mount does them, with no more than an fdatasync after each. The last thing that a load
/// does with a store: a file system keeps it for as long as the process lives.
func copiedUpFiles(_ load: Load) throws {
    let fileSystem = try FileSystem(
        store: load.fixture.store, workspace: load.fixture.workspace,
        control: ControlFiles(
            store: { [] }, status: { [] }, metrics: { [] }, lastCommit: { [] }, commit: { _, _, _ in .done },
            commitWasCutShort: {}),
        owner: Owner(uid: 0, gid: 0), started: load.fixture.clock.now())
    let caller = Caller(uid: 0, gid: 0, pid: 0, umask: 0)
    let staging = try fileSystem.lookup(.root, FileName(literal: "staging")).node
    for (name, truncates) in [("last", false), ("again", true)] {
        let node = try fileSystem.lookup(staging, FileName(Array(name.utf8))).node
        try load.stage { _ in }
        // It has its place in upper/, durably: what is looked at here is what becomes of its bytes.
        var change = SetAttributes()
        change.mode = 0o600
        _ = try fileSystem.setAttributes(node, change, handle: nil, by: caller)
        try load.settle()
        try load.stage { _ in }
        let opened = try fileSystem.open(
            node, OpenMode(reads: true, writes: true, truncates: truncates), by: caller)
        if !truncates {
            _ = try load.bytes(100).withUnsafeBytes {
                try fileSystem.write(opened.handle, $0, at: 10, by: caller)
            }
        }
        try fileSystem.sync(opened.handle, dataOnly: true)
        try load.saySynced(TreePath(stringLiteral: name))
        fileSystem.release(opened.handle)
        for index in 0..<3 {
            try load.fixture.write(TreePath(stringLiteral: "unsynced-\(index)"), load.bytes(10))
        }
    }
}
