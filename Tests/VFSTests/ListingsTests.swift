import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@testable import VFS

/// Listings as the kernel reads them: by a directory's number and a position.
struct ListingsTests {
    private let fixture: StoreFixture
    private let memory: SharedMemory
    private let fileSystem: FileSystem
    private let staging: NodeID

    init() throws {
        fixture = try StoreFixture(
            Dictionary(uniqueKeysWithValues: try (0..<100).map { (try TreePath(Array("f\($0)".utf8)), [1]) }))
        try fixture.commit()
        memory = try SharedMemory(creating: "firn-test", byteCount: MountRecord.byteCount)
        fileSystem = try fixture.fileSystem(record: MountRecord(in: memory))
        staging = try fileSystem.lookup(.root, FileName(literal: "staging")).node
    }

    private func name(_ text: String) -> FileName { FileName(unchecked: Array(text.utf8)) }

    private func make(_ text: String) throws {
        fileSystem.release(try fileSystem.create(staging, name(text), mode: 0o644, by: .root).1.handle)
    }

    /// Up to `count` names behind `position`, where the next are, and whether the kernel may keep them.
    private func read(
        _ directory: NodeID, from position: Int64, count: Int = .max
    ) throws -> (names: [String], next: Int64, mayKeep: Bool) {
        var (names, last): ([String], Int64) = ([], position)
        let mayKeep = try fileSystem.list(directory, from: position) { name, _, _, next in
            guard names.count < count else { return false }
            #expect(next > last)
            names.append(name.display)
            last = next
            return true
        }
        return (names, last, mayKeep)
    }

    @Test func `a reader goes on where it was, whatever came and went meanwhile`() throws {
        let all = try read(staging, from: 0).names
        #expect(all.prefix(2) == [".", ".."] && Set(all).count == 102)
        for place in [1, 2, 3, 50, 101] {
            let first = try read(staging, from: 0, count: place)
            #expect(first.mayKeep)
            let gone = all[all.count / 2]
            try fileSystem.remove(staging, name(gone), isDirectory: false, by: .root)
            try make("new\(place)")
            // Another reader, and then none, has taken a newer listing.
            _ = try read(staging, from: 0, count: place)
            let rest = try read(staging, from: first.next)
            #expect(!rest.mayKeep || place <= 2)
            let seen = first.names + rest.names
            #expect(Set(seen).count == seen.count)
            #expect(Set(seen).isSuperset(of: all.filter { $0 != gone && !$0.hasPrefix("new") }))
            try fileSystem.remove(staging, name("new\(place)"), isDirectory: false, by: .root)
            try make(gone)
            let end = try read(staging, from: rest.next)
            #expect(try end.names.isEmpty && read(staging, from: rest.next).names.isEmpty)
        }
    }

    @Test func `only what a directory still lists may be kept`() throws {
        let first = try read(staging, from: 0, count: 10)
        #expect(try first.mayKeep && read(staging, from: first.next, count: 10).mayKeep)
        let changes: [() throws -> Void] = [
            { try make("new") },
            {
                try fileSystem.rename(
                    staging, name("new"), to: staging, name("other"), mode: .replace, by: .root)
            },
            { try fileSystem.remove(staging, name("other"), isDirectory: false, by: .root) },
            { try make("sealed") },
            {
                try fixture.commit()
                _ = try fileSystem.sealed()
            },
            { _ = try fileSystem.replaced([try TreePath(Array("f1".utf8))]) },
            { _ = try fileSystem.replaced([.root]) },
        ]
        for (number, change) in changes.enumerated() {
            let first = try read(staging, from: 0, count: 10)
            #expect(first.mayKeep, "change \(number)")
            try change()
            // Of those that it makes itself the kernel knows.
            #expect(try read(staging, from: first.next).mayKeep == (number < 4), "change \(number)")
        }
        // What changes without the kernel's doing is never kept, and what cannot change always.
        let versions = try fileSystem.lookup(.root, name("versions")).node
        #expect(!(try read(versions, from: 0).mayKeep))
        let version = try fileSystem.lookup(versions, name("v000001")).node
        let part = try read(version, from: 0, count: 40)
        #expect(try part.mayKeep && read(version, from: part.next).mayKeep)
        #expect(try (part.names + read(version, from: part.next).names).count == 102)
    }

    @Test func `names that came while no daemon could say so are looked up again`() throws {
        #expect(try fileSystem.lookup(ifPresent: name("new"), in: staging) == nil)
        try fixture.write("new", [2])
        fileSystem.noteReplacing(true)
        let after = try fixture.fileSystem(record: MountRecord(in: memory))
        let stale = try after.resume().stale
        #expect(stale.contains(.name(parent: staging, name: name("new"))))
        #expect(stale.contains(.listing(staging)))
        after.noteReplacing(false)
        let last = try fixture.fileSystem(record: MountRecord(in: memory))
        #expect(!(try last.resume().stale.contains(.name(parent: staging, name: name("new")))))
    }

    @Test func `that a name is absent is kept where it cannot come without the kernel`() throws {
        let versions = try fileSystem.lookup(.root, name("versions")).node
        let version = try fileSystem.lookup(versions, name("v000001")).node
        for directory in [staging, version] {
            #expect(try fileSystem.lookup(ifPresent: name("none"), in: directory) == nil)
        }
        for directory in [.root, versions] {
            let error = #expect(throws: VFSError.self) {
                try fileSystem.lookup(ifPresent: name("none"), in: directory)
            }
            #expect(error?.code == .noSuchFileOrDirectory)
        }
        // Of a restore the kernel is told, on the way to the path as well.
        let paths = try ["none", "no/such/path"].map { try TreePath(Array($0.utf8)) }
        let stale = try fileSystem.replaced(paths)
        #expect(
            stale == [
                .listing(staging), .name(parent: staging, name: name("none")),
                .name(parent: staging, name: name("no")), .listing(staging),
            ])
    }
}
