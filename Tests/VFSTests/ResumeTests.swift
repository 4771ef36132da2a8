import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import VFS

/// A file system that goes on where another ended, without a kernel.
struct ResumeTests {
    private let fixture: StoreFixture
    private let memory: SharedMemory

    init() throws {
        fixture = try StoreFixture()
        memory = try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount)
    }

    private func name(_ text: String) -> FileName { FileName(unchecked: Array(text.utf8)) }

    @Test func `the names that a commit parted lead to nodes of their own`() throws {
        var nodes: [(id: NodeID, inode: UInt64)] = []
        let before = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try before.lookup(.root, name("staging")).node
        for number in 0..<16 {
            let (entry, file) = try before.create(
                staging, name("f\(number)"), mode: 0o644, by: .root)
            before.release(file.handle)
            nodes.append((entry.node, entry.attributes.inode))
            for other in ["g", "h"] {
                _ = try before.link(
                    entry.node, staging, name("\(other)\(number)"), by: .root)
            }
        }
        // As a daemon is killed whose commit the next one's start finishes.
        let next = try StoreFixture(opening: try fixture.snapshot())
        try next.commit()

        let after = try next.fileSystem(record: MountRecord(in: memory))
        let stale = try after.resume().stale
        for (number, (id, inode)) in nodes.enumerated() {
            // What the kernel may still ask for, not having been told yet: it does not say which file it means.
            #expect(
                errno { _ = try after.link(id, staging, name("new\(number)"), by: .root) }
                    == .staleNFSFileHandle)
            let files = try ["f", "g", "h"].map { try after.lookup(staging, name("\($0)\(number)")) }
            #expect(Set(files.map(\.node)).count == 3)
            #expect(files.allSatisfy { $0.attributes.linkCount == 1 && $0.node != id })
            #expect(files.count { $0.attributes.inode == inode } == 1)
            _ = try after.link(files[0].node, staging, name("new\(number)"), by: .root)
            #expect(try after.attributes(files[0].node).0.linkCount == 2)
        }
        // Versions may have come meanwhile, which shows on their directory.
        let versions = try after.lookup(.root, name("versions")).node
        #expect(Set(stale).subtracting([.attributes(versions), .listing(staging)]).count == 48)
    }

    @Test func `what may have been made in a directory that is only added to is made anew`() throws {
        let before = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try before.lookup(.root, name("staging")).node
        let directory = try before.makeDirectory(staging, name("d"), mode: 0o755, by: .root).node
        try before.setFlags(
            directory, [.appendOnly, .noDump], among: .all(of: .directory), by: .root)
        let (made, file) = try before.create(directory, name("f"), mode: 0o644, by: .root)
        let nameless = try before.createNameless(directory, mode: 0o644, by: .root).0

        let opened = try StoreFixture(opening: try fixture.snapshot())
        let after = try opened.fileSystem(record: MountRecord(in: memory))
        _ = try after.resume()
        let again = Caller(uid: 0, gid: 0, pid: 1, umask: 0, request: 1, isRepeated: true)
        #expect(
            errno { try after.remove(directory, name("f"), isDirectory: false, by: again) } == .notPermitted)
        let (anew, other) = try after.create(directory, name("f"), mode: 0o600, by: again)
        #expect(anew.attributes.mode == 0o600)
        #expect(try after.flags(anew.node) == .noDump)
        #expect(try after.flags(nameless.node) == .noDump)
        #expect(try after.flags(directory) == [.appendOnly, .noDump])
        #expect(made.attributes.inode != anew.attributes.inode)
        before.release(file.handle)
        after.release(other.handle)
    }

    @Test func `a file that is open when a commit parts its names is read on, by the next daemon too`() throws
    {
        let reading = OpenMode(reads: true, writes: false, truncates: false)
        let writing = OpenMode(reads: true, writes: true, truncates: false)
        let before = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try before.lookup(.root, name("staging")).node
        let (entry, file) = try before.create(staging, name("f"), mode: 0o644, by: .root)
        let node = entry.node
        _ = try [UInt8]("sealed".utf8).withUnsafeBytes {
            try before.write(file.handle, $0, at: 0, by: .root)
        }
        before.release(file.handle)
        try before.setExtendedAttribute(
            node, Array("user.x".utf8), [1], flags: 0, clearsSetGroupID: false, by: .root)
        try fixture.commit()
        _ = try before.sealed()
        for other in ["g", "h"] {
            _ = try before.link(node, staging, name(other), by: .root)
        }
        let open = try before.open(node, reading, by: .root).handle
        try fixture.commit()
        let stale = try before.sealed()
        #expect(stale.count { $0 != .listing(staging) } == 4)

        #expect(try before.extendedAttribute(node, Array("user.x".utf8)) == [1])
        #expect(try before.seek(open, .data, from: 0) == 0)
        #expect(try before.attributes(node).0.linkCount == 1)
        let after = try fixture.fileSystem(record: MountRecord(in: memory))
        #expect(try after.resume().failures.isEmpty)
        #expect(try text(of: open, in: after) == "sealed")
        #expect(try after.attributes(node).0.linkCount == 1)

        // By which name it was opened nobody can tell, so it is neither's to write to.
        #expect(
            errno { _ = try before.open(node, writing, by: .root) } == .staleNFSFileHandle)
        #expect(try text(of: open, in: before) == "sealed")
        let names = try ["f", "g", "h"].map { try before.lookup(staging, name($0)).node }
        #expect(Set(names + [node]).count == 4)
        let writer = try before.open(names[0], writing, by: .root).handle
        _ = try [UInt8]("other!".utf8).withUnsafeBytes {
            try before.write(writer, $0, at: 0, by: .root)
        }
        let other = try before.open(names[1], reading, by: .root).handle
        #expect(try text(of: other, in: before) == "sealed")
        for handle in [writer, other, open] { before.release(handle) }
        // With nobody who has it open there is nothing left to read.
        #expect(
            errno { _ = try before.open(node, reading, by: .root) } == .staleNFSFileHandle)
    }

    private func text(of handle: HandleID, in fileSystem: FileSystem) throws -> String {
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = try buffer.withUnsafeMutableBytes { try fileSystem.read(handle, into: $0, at: 0) }
        return String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    @Test func `what cannot be looked at is lost alone`() throws {
        let before = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try before.lookup(.root, name("staging")).node
        let nodes = try ["damaged", "sound"].map { text in
            let (entry, file) = try before.create(staging, name(text), mode: 0o644, by: .root)
            before.release(file.handle)
            return entry.node
        }
        let place = try fixture.upper("damaged")
        try Syscall.setAttribute(at: place.fd, place.path, RawPath("user.firn"), [0xFF])

        let after = try fixture.fileSystem(record: MountRecord(in: memory))
        let resumed = try after.resume()
        #expect(resumed.failures.map(\.code) == [.ioError])
        let versions = try after.lookup(.root, name("versions")).node
        #expect(
            Set(resumed.stale) == [
                .name(parent: staging, name: name("damaged")), .listing(staging), .attributes(versions),
            ])
        #expect(errno { _ = try after.attributes(nodes[0]) } == .staleNFSFileHandle)
        #expect(try after.attributes(nodes[1]).0.kind == .file)
    }

    @Test func `a file that was replaced must be looked up again`() throws {
        let fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try fileSystem.lookup(.root, name("staging")).node
        let (entry, file) = try fileSystem.create(staging, name("f"), mode: 0o644, by: .root)
        fileSystem.release(file.handle)
        try fixture.store.abort(fixture.workspace)
        _ = try fileSystem.replaced([.root])
        var change = SetAttributes()
        change.mode = 0o600
        #expect(
            errno {
                _ = try fileSystem.setAttributes(entry.node, change, handle: nil, by: .root)
            } == .staleNFSFileHandle)
        #expect(
            errno { _ = try fileSystem.link(entry.node, staging, name("new"), by: .root) }
                == .staleNFSFileHandle)
        #expect(errno { _ = try fileSystem.attributes(entry.node) } == .staleNFSFileHandle)
    }

    @Test func `a name that could not be taken away leaves its file with one`() throws {
        let fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try fileSystem.lookup(.root, name("staging")).node
        let (entry, file) = try fileSystem.create(staging, name("f"), mode: 0o644, by: .root)
        let (_, other) = try fileSystem.create(staging, name("g"), mode: 0o644, by: .root)
        for point in [
            FaultPoint(.unlink, in: "remove(_:leavesWhiteout:)"),
            FaultPoint(.rename, in: "rename(_:_:_:)"),
        ] { fixture.faults.fail(at: point, with: .ioError) }
        let failures = fixture.faults.during {
            [
                errno {
                    try fileSystem.remove(staging, name("f"), isDirectory: false, by: .root)
                },
                errno {
                    try fileSystem.rename(
                        staging, name("g"), to: staging, name("f"), mode: .replace, by: .root)
                },
            ]
        }
        #expect(failures == [.ioError, .ioError])
        #expect(try fileSystem.attributes(entry.node).0.linkCount == 1)
        try fileSystem.remove(staging, name("f"), isDirectory: false, by: .root)
        #expect(try fileSystem.attributes(entry.node).0.linkCount == 0)
        for file in [file, other] { fileSystem.release(file.handle) }
    }

    @Test func `a file that was replaced and has a new name is like any other`() throws {
        let fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        let staging = try fileSystem.lookup(.root, name("staging")).node
        let (entry, file) = try fileSystem.create(staging, name("f"), mode: 0o644, by: .root)
        var failure: (any Error)?
        // As long as what was replaced is there, an open file of it can be given a name.
        try fixture.store.abort(
            fixture.workspace,
            replaced: { () throws(StoreError) in
                do { _ = try fileSystem.replaced([.root]) } catch { failure = error }
            },
            opened: {
                do {
                    _ = try fileSystem.link(entry.node, staging, name("g"), by: .root)
                } catch { failure = error }
            })
        #expect(failure == nil)
        fileSystem.release(file.handle)
        try fixture.commit()
        // It has one name, which is still its own.
        #expect(try fileSystem.sealed() == [.listing(staging)])
        #expect(try fileSystem.lookup(staging, name("g")).node == entry.node)
    }

    private func errno(_ body: () throws -> Void) -> Errno? {
        do { try body() } catch { return (error as? VFSError)?.code }
        return nil
    }
}
