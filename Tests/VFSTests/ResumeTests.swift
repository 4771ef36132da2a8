import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import VFS

/// A file system that goes on where another ended, without a kernel.
struct ResumeTests {
    private static let caller = Caller(uid: 0, gid: 0, pid: 1, umask: 0)
    private let fixture: StoreFixture
    private let memory: SharedMemory

    init() throws {
        fixture = try StoreFixture()
        memory = try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount)
    }

    private func fileSystem(over fixture: StoreFixture) throws -> FileSystem {
        let nothing = ControlFiles(
            status: { [] }, metrics: { [] }, lastCommit: { [] }, commit: { _, _, _ in .incomplete },
            commitWasCutShort: {})
        return try FileSystem(
            store: fixture.store, workspace: fixture.workspace, control: nothing,
            owner: Owner(uid: 0, gid: 0), started: fixture.clock.now(), record: try MountRecord(in: memory))
    }

    private func name(_ text: String) -> FileName { FileName(unchecked: Array(text.utf8)) }

    @Test func `the names that a commit parted lead to nodes of their own`() throws {
        var nodes: [(id: NodeID, inode: UInt64)] = []
        let before = try fileSystem(over: fixture)
        let staging = try before.lookup(.root, name("staging")).node
        for number in 0..<16 {
            let (entry, file) = try before.create(
                staging, name("f\(number)"), mode: 0o644, by: ResumeTests.caller)
            before.release(file.handle)
            nodes.append((entry.node, entry.attributes.inode))
            for other in ["g", "h"] {
                _ = try before.link(
                    entry.node, staging, name("\(other)\(number)"), by: ResumeTests.caller)
            }
        }
        // As a daemon is killed whose commit the next one's start finishes.
        let next = try StoreFixture(opening: try fixture.snapshot())
        try next.commit()

        let after = try fileSystem(over: next)
        let stale = try after.resume().stale
        for (number, (id, inode)) in nodes.enumerated() {
            // What the kernel may still ask for, not having been told yet: it does not say which file it means.
            #expect(
                errno { _ = try after.link(id, staging, name("new\(number)"), by: ResumeTests.caller) }
                    == .staleNFSFileHandle)
            let files = try ["f", "g", "h"].map { try after.lookup(staging, name("\($0)\(number)")) }
            #expect(Set(files.map(\.node)).count == 3)
            #expect(files.allSatisfy { $0.attributes.linkCount == 1 && $0.node != id })
            #expect(files.count { $0.attributes.inode == inode } == 1)
            _ = try after.link(files[0].node, staging, name("new\(number)"), by: ResumeTests.caller)
            #expect(try after.attributes(files[0].node).0.linkCount == 2)
        }
        #expect(Set(stale).count == 48)
    }

    @Test func `what cannot be looked at is lost alone`() throws {
        let before = try fileSystem(over: fixture)
        let staging = try before.lookup(.root, name("staging")).node
        let nodes = try ["damaged", "sound"].map { text in
            let (entry, file) = try before.create(staging, name(text), mode: 0o644, by: ResumeTests.caller)
            before.release(file.handle)
            return entry.node
        }
        let place = try fixture.upper("damaged")
        try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.firn"), [0xFF])

        let after = try fileSystem(over: fixture)
        let resumed = try after.resume()
        #expect(resumed.failures.map(\.code) == [.ioError])
        #expect(resumed.stale == [.name(parent: staging, name: name("damaged"))])
        #expect(errno { _ = try after.attributes(nodes[0]) } == .staleNFSFileHandle)
        #expect(try after.attributes(nodes[1]).0.kind == .file)
    }

    @Test func `a file that was replaced must be looked up again`() throws {
        let fileSystem = try fileSystem(over: fixture)
        let staging = try fileSystem.lookup(.root, name("staging")).node
        let (entry, file) = try fileSystem.create(staging, name("f"), mode: 0o644, by: ResumeTests.caller)
        fileSystem.release(file.handle)
        try fixture.store.abort(fixture.workspace)
        _ = try fileSystem.replaced([.root])
        var change = SetAttributes()
        change.mode = 0o600
        #expect(
            errno {
                _ = try fileSystem.setAttributes(entry.node, change, handle: nil, by: ResumeTests.caller)
            } == .staleNFSFileHandle)
        #expect(
            errno { _ = try fileSystem.link(entry.node, staging, name("new"), by: ResumeTests.caller) }
                == .staleNFSFileHandle)
        #expect(errno { _ = try fileSystem.attributes(entry.node) } == .staleNFSFileHandle)
    }

    private func errno(_ body: () throws -> Void) -> Errno? {
        do { try body() } catch { return (error as? VFSError)?.code }
        return nil
    }
}
