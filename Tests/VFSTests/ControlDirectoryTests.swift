import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import VFS

/// `.firn/commit`, without a kernel and with an engine that only answers.
struct ControlDirectoryTests {
    private let fixture: StoreFixture
    private let record: MountRecord

    init() throws {
        fixture = try StoreFixture()
        record = try MountRecord(
            in: try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount))
    }

    /// Writes `bytes` as one request, the number of which is `request`.
    private func write(
        _ bytes: [UInt8], request: UInt64 = 1, isRepeated: Bool = false,
        to commit: @escaping @Sendable ([UInt8], VFS.Caller, () -> UInt64?) -> ControlWrite
    ) throws {
        let fileSystem = try fixture.fileSystem(record: record, commit: commit)
        let caller = Caller(uid: 0, gid: 0, pid: 1, umask: 0, request: request, isRepeated: isRepeated)
        let directory = try fileSystem.lookup(.root, FileName(literal: ".firn")).node
        let file = try fileSystem.lookup(directory, FileName(literal: "commit")).node
        let mode = OpenMode(reads: false, writes: true, truncates: false)
        let handle = try fileSystem.open(file, mode, by: caller).handle
        _ = try bytes.withUnsafeBytes { try fileSystem.write(handle, $0, at: 0, by: caller) }
    }

    @Test func `a request that comes again and finds nothing to commit is told so`() {
        #expect {
            try write(Array("{}".utf8), isRepeated: true) { _, _, _ in
                .failed(StoreError(.nothingToCommit, "nothing is staged"))
            }
        } throws: { ($0 as? VFSError)?.code == .noData }
    }

    @Test func `the next daemon is told of a request when it is whole, and not before`() throws {
        let text = Array(#"{"message": "one"}"#.utf8)
        let engine = ControlDirectoryTests.engine(whole: text.count)
        for count in 1..<text.count { try write(Array(text.prefix(count)), request: 7, to: engine) }
        #expect(try record.recorded().commits.isEmpty)
        try write(text, request: 8, to: engine)
        #expect(try record.recorded().commits == [8: fixture.workspace.generation])
    }

    private static func engine(
        whole count: Int
    ) -> @Sendable ([UInt8], VFS.Caller, () -> UInt64?) -> ControlWrite {
        { bytes, _, begin in
            guard bytes.count == count else { return .incomplete }
            return begin() == nil ? .done : .failed(StoreError(.busy, "nobody has begun it"))
        }
    }
}
