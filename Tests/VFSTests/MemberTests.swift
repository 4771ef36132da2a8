import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import VFS

/// What sealed directories hold beside directories, which is made anew for each request.
struct MemberTests {
    private static let reading = OpenMode(reads: true, writes: false, truncates: false)
    private let fixture: StoreFixture
    private let memory: SharedMemory

    init() throws {
        var files: [TreePath: [UInt8]] = [:]
        for number in 0..<1000 {
            files[try TreePath(Array("d/\(number)".utf8))] = [UInt8(number % 251), UInt8(number / 251)]
        }
        fixture = try StoreFixture(files)
        try fixture.commit()
        memory = try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount)
    }

    private func name(_ text: String) -> FileName { FileName(unchecked: Array(text.utf8)) }

    private func directory(_ fileSystem: FileSystem) throws -> NodeID {
        let versions = try fileSystem.lookup(.root, name("versions")).node
        let version = try fileSystem.lookup(versions, name("v000001")).node
        return try fileSystem.lookup(version, name("d")).node
    }

    private func bytes(_ node: NodeID, in fileSystem: FileSystem) throws -> [UInt8] {
        let file = try fileSystem.open(node, MemberTests.reading, by: .root).handle
        defer { fileSystem.release(file) }
        return try bytes(file, in: fileSystem)
    }

    private func bytes(_ file: HandleID, in fileSystem: FileSystem) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 8)
        let count = try bytes.withUnsafeMutableBytes { try fileSystem.read(file, into: $0, at: 0) }
        return Array(bytes.prefix(count))
    }

    @Test func `a number says which entry of which directory`() throws {
        let largest = try #require(Member(of: NodeID(1 << 38 - 1), number: 1 << 24 - 1))
        #expect(Member(largest.id) == largest)
        #expect(Member(of: NodeID(1 << 38), number: 0) == nil)
        #expect(Member(of: NodeID(7), number: 1 << 24) == nil)
        #expect(Member(NodeID(1 << 62 - 1)) == nil)
        let smallest = try #require(Member(of: NodeID(1), number: 0))
        #expect(Member(smallest.id) == smallest)
    }

    @Test func `files are found by their numbers and take no memory`() throws {
        let fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        let directory = try directory(fileSystem)
        let before = fileSystem.counts.nodes
        var nodes: [NodeID] = []
        for number in 0..<1000 {
            let entry = try fileSystem.lookup(directory, name("\(number)"))
            #expect(
                entry.attributes.inode
                    == InodeNumber.sealed(name("\(number)"), in: try inode(directory, fileSystem)))
            nodes.append(entry.node)
        }
        #expect(Set(nodes).count == 1000)
        #expect(fileSystem.counts.nodes == before)
        for (number, node) in nodes.enumerated() {
            let found = try bytes(node, in: fileSystem)
            #expect(found == [UInt8(number % 251), UInt8(number / 251)])
        }
        #expect(try fileSystem.lookup(directory, name("7")).node == nodes[7])
    }

    private func inode(_ node: NodeID, _ fileSystem: FileSystem) throws -> UInt64 {
        try fileSystem.attributes(node).0.inode
    }

    @Test func `the directory stays as long as the kernel knows one of its files`() throws {
        let fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        let directory = try directory(fileSystem)
        let file = try fileSystem.lookup(directory, name("7")).node
        let other = try fileSystem.lookup(directory, name("8")).node
        let count = fileSystem.counts.nodes
        fileSystem.forget(directory, count: 1)
        fileSystem.forget(other, count: 1)
        #expect(fileSystem.counts.nodes == count)
        #expect(try bytes(file, in: fileSystem) == [7, 0])
        fileSystem.forget(file, count: 1)
        #expect(fileSystem.counts.nodes == count - 1)
        #expect(throws: VFSError.self) { try fileSystem.attributes(file) }
    }

    @Test func `the next daemon finds them, and goes on with those that are open`() throws {
        let before = try fixture.fileSystem(record: MountRecord(in: memory))
        let directory = try directory(before)
        let node = try before.lookup(directory, name("500")).node
        let open = try before.open(node, MemberTests.reading, by: .root).handle
        let after = try fixture.fileSystem(record: MountRecord(in: memory))
        let stale = try after.resume().stale
        // `versions/` and the listing of staging.
        #expect(stale.count == 2)
        #expect(try bytes(node, in: after) == [249, 1])
        #expect(try bytes(open, in: after) == [249, 1])
        after.release(open)
        #expect(try after.lookup(directory, name("500")).node == node)
    }
}
