import Store
import SystemPackage
import TestSupport

@testable import VFS

extension StoreFixture {
    /// The store as a mount shows it, without a kernel.
    ///
    /// - Parameters:
    ///   - record: what the daemon before has left, or nothing yet.
    ///   - commit: what writing to `.firn/commit` does.
    func fileSystem(
        record: MountRecord,
        commit: @escaping @Sendable ([UInt8], VFS.Caller, () -> UInt64?) -> ControlWrite = { _, _, _ in
            .incomplete
        }
    ) throws -> FileSystem {
        let control = ControlFiles(
            store: { [] }, status: { [] }, metrics: { [] }, lastCommit: { [] }, commit: commit,
            commitWasCutShort: {})
        return try FileSystem(
            store: store, workspace: workspace, control: control, owner: Owner(uid: 0, gid: 0),
            started: clock.now(), record: record)
    }
}

extension VFS.Caller {
    static let root = VFS.Caller(uid: 0, gid: 0, pid: 1, umask: 0)
}
