import Glibc
import Objects
import Store
import SystemPackage
import Testing

@testable import VFS

struct MountRecordTests {
    private static func memory() throws -> SharedMemory {
        try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount)
    }

    private static let modes = [
        OpenMode(reads: true, writes: false, truncates: false),
        OpenMode(reads: true, writes: true, truncates: true),
    ]

    private func name(_ number: Int) -> FileName { FileName(unchecked: Array("name \(number)".utf8)) }

    private func move(_ from: Int, _ to: Int, inode: UInt64, request: UInt64) -> RecordedMove {
        RecordedMove(
            parent: .root, name: name(from), newParent: NodeID(2), newName: name(to), inode: inode,
            request: request)
    }

    @Test func `what was noted is there for the next, at the numbers that were given`() throws {
        let memory = try MountRecordTests.memory()
        let record = try MountRecord(in: memory)
        record.append(.named(NodeID(7), inode: 70, parent: .root, name(1)))
        record.append(.named(NodeID(7), inode: 70, parent: NodeID(2), name(2)))
        record.append(.named(NodeID(8), inode: 80, parent: .root, name(3)))
        record.append(.named(NodeID(9), inode: 90, parent: .root, name(4)))
        record.append(.nameless(NodeID(10), inode: 100))
        record.append(.unnamed(parent: .root, name(1)))
        record.append(.moved(move(3, 5, inode: 80, request: 33)))
        record.append(.dropped(NodeID(9)))
        record.append(.opened(HandleID(3), NodeID(8), MountRecordTests.modes[1], backing: 5, request: 44))
        record.append(.opened(HandleID(4), NodeID(8), MountRecordTests.modes[0], backing: 0, request: 45))
        record.append(.closed(HandleID(4)))
        record.append(.replacing(true))
        record.append(.committing(request: 66, generation: 4))
        record.append(.committing(request: 66, generation: 5))
        record.append(.moving(move(1, 2, inode: 70, request: 55)))

        let known = try MountRecord(in: memory).recorded()
        #expect(Set(known.nodes.keys) == [NodeID(7), NodeID(8), NodeID(10)])
        #expect(known.nodes[NodeID(7)]?.names == [.init(parent: NodeID(2), name: name(2))])
        #expect(known.nodes[NodeID(8)]?.names == [.init(parent: NodeID(2), name: name(5))])
        #expect(known.nodes[NodeID(10)]?.names == [])
        #expect(known.files.count == 1)
        let file = try #require(known.files[HandleID(3)])
        #expect(file.node == NodeID(8) && file.mode == MountRecordTests.modes[1])
        #expect(file.backing == 5 && file.request == 44)
        #expect(known.isReplacing)
        #expect(known.movers == [33])
        #expect(known.commits == [66: 4])
        #expect(known.unfinished == move(1, 2, inode: 70, request: 55))
        #expect(known.nextNode == 11)
        #expect(known.nextHandle == 5)
    }

    @Test func `an exchange trades names, and what a rename replaces loses its name`() throws {
        let memory = try MountRecordTests.memory()
        let record = try MountRecord(in: memory)
        record.append(.named(NodeID(7), inode: 70, parent: .root, name(1)))
        record.append(.named(NodeID(8), inode: 80, parent: NodeID(2), name(2)))
        record.append(.exchanged(move(1, 2, inode: 70, request: 1)))
        var known = try record.recorded()
        #expect(known.names[.init(parent: .root, name: name(1))] == NodeID(8))
        #expect(known.names[.init(parent: NodeID(2), name: name(2))] == NodeID(7))
        record.append(.moved(move(1, 2, inode: 80, request: 2)))
        known = try record.recorded()
        #expect(known.names == [.init(parent: NodeID(2), name: name(2)): NodeID(8)])
        #expect(known.nodes[NodeID(7)]?.names == [])
    }

    @Test func `a long record is written anew, and means the same`() async throws {
        let memory = try MountRecordTests.memory()
        let record = try MountRecord(in: memory)
        var expected: [RecordedMount.Name: NodeID] = [:]
        // Some 67 MB of lines for a few hundred nodes.
        for number in 0..<600_000 {
            let place = RecordedMount.Name(parent: .root, name: name(number % 700))
            let node = NodeID(UInt64(number + 100))
            if let old = expected[place] { record.append(.dropped(old)) }
            record.append(.named(node, inode: node.value, parent: .root, place.name))
            expected[place] = node
            guard number % 100_000 == 99_999 else { continue }
            // Written anew at 16 MiB, by a thread.
            let deadline = ContinuousClock.now + .seconds(60)
            while record.logByteCount > 17 << 20, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(record.logByteCount <= 17 << 20)
        }
        let known = try MountRecord(in: memory).recorded()
        #expect(known.names == expected)
        #expect(known.nodes.count == 700)
        #expect(known.nextNode == 600_100)
        let status = try Syscall.stat(memory.descriptor.fd)
        #expect(status.st_blocks * 512 < 40 << 20, "\(status.st_blocks * 512) bytes are taken")
    }

    @Test func `memory that holds something else is refused`() throws {
        let memory = try MountRecordTests.memory()
        memory.bytes.storeBytes(of: 1, as: UInt64.self)
        #expect(throws: Errno.invalidArgument) { try MountRecord(in: memory) }
        let other = try MountRecordTests.memory()
        let record = try MountRecord(in: other)
        record.append(.dropped(NodeID(1)))
        // The length of the first line.
        other.bytes.storeBytes(of: 40, toByteOffset: 1 << 20, as: UInt32.self)
        #expect(throws: Errno.invalidArgument) { try record.recorded() }
    }
}
