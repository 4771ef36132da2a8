import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

/// How flags are kept.
@Suite struct FileFlagsTests {
    @Test(arguments: [
        (UpperMark(inode: 5), "8301" + "05f6"),
        (UpperMark(inode: 5, flags: [.immutable]), "8402" + "05f6" + "10"),
        (UpperMark(flags: [.appendOnly, .noDump]), "8402" + "f6f6" + "1860"),
        (UpperMark(flags: .all(of: .directory)), "8402" + "f6f6" + "1a000100f8"),
    ])
    func `marks with flags have a format of their own`(mark: UpperMark, hex: String) throws {
        #expect(Hex.encode(mark.encoded) == hex)
        #expect(try UpperMark(decoding: mark.encoded, isDirectory: true) == mark)
    }

    @Test(arguments: ["8401f6f610", "8302f6f6", "8402f6f600", "8402f6f601", "8402f6f61a00010000", "8402f6f6"])
    func `other marks are refused`(hex: String) throws {
        let bytes = try #require(Hex.decode(hex))
        #expect(throws: ObjectError.self) { try UpperMark(decoding: bytes, isDirectory: false) }
    }

    @Test func `an entry's flags are an attribute, and what is none says nothing`() throws {
        let attribute = ExtendedAttribute([.immutable, .noDump])
        #expect(String(decoding: attribute.name, as: UTF8.self) == "user.firn.flags")
        #expect(Hex.encode(attribute.value) == "1850")
        let entry = { (kind: EntryKind, value: [UInt8]) in
            TreeEntry(
                name: FileName("f"), kind: kind, mode: 0o644, uid: 0, gid: 0, size: 0,
                mtime: Timestamp(seconds: 0, nanoseconds: 0), content: .none,
                xattrs: [ExtendedAttribute(name: ExtendedAttribute.flagsName, value: value)])
        }
        #expect(entry(.file, attribute.value).flags == [.immutable, .noDump])
        #expect(entry(.symlink, attribute.value).flags == [])
        #expect(entry(.file, []).flags == [])
        #expect(entry(.file, Array("immutable".utf8)).flags == [])
        // Of a directory, and one that there is not.
        #expect(entry(.file, [0x1a, 0x00, 0x01, 0x00, 0x11]).flags == [.immutable])
        #expect(entry(.directory, [0x1a, 0x00, 0x01, 0x00, 0x11]).flags == [.immutable, .synchronousNames])
    }

    @Test func `what is laid over the base and filled has its flags, and is sealed with them`() throws {
        let fixture = try StoreFixture()
        try fixture.write("f", [1, 2, 3])
        let overlay = fixture.workspace.overlay
        try overlay.setFlags([.appendOnly, .noAccessTime], at: try fixture.upper("f"), .file)
        let version = try fixture.commit()
        let entry = try fixture.store.entry(at: "f", of: version)
        #expect(entry.flags == [.appendOnly, .noAccessTime])
        #expect(entry.xattrs.map(\.name) == [ExtendedAttribute.flagsName])

        let place = try fixture.upper("f")
        try overlay.layEntry(entry, inode: 7, at: place)
        let laid = try #require(try overlay.probe(place))
        #expect(laid.mark.flags == entry.flags)
        #expect(try Syscall.attributeNames(at: place.fd, place.path) == [Array("user.firn".utf8)])
        let file = try Syscall.openForWriting(place)
        try overlay.fill(file, from: try #require(laid.reference), mark: laid.mark, subject: "f")
        let filled = try #require(try overlay.probe(place))
        #expect(filled.mark == UpperMark(inode: 7, flags: entry.flags))
        #expect(filled.file.size == 3)
    }
}
