import Objects
import Testing

@Suite struct FileNameTests {
    @Test(
        arguments: [
            Array("a".utf8), Array("...".utf8), Array(".hidden".utf8), Array("a b\n".utf8), [0xff], [1],
            Array(repeating: 0x61, count: 255),
        ] as [[UInt8]])
    func `any bytes but slash and NUL make a name`(bytes: [UInt8]) throws {
        #expect(try FileName(bytes).bytes == bytes)
    }

    @Test func `every single byte but slash NUL and dot is a name`() {
        let refused = (0...255).map { UInt8($0) }.filter { !FileName.isValid([$0]) }
        #expect(refused == [0, UInt8(ascii: "."), UInt8(ascii: "/")])
    }

    @Test(
        arguments: [
            [], Array(".".utf8), Array("..".utf8), Array("a/b".utf8), [0x61, 0],
            Array(repeating: 0x61, count: 256),
        ] as [[UInt8]])
    func `what the kernel would refuse is refused`(bytes: [UInt8]) {
        let error = #expect(throws: ObjectError.self) { try FileName(bytes) }
        #expect(error?.code == .invalidName)
        #expect(error?.hint.isEmpty == false)
    }

    @Test func `names are in the order of their bytes`() throws {
        let names = [[0x41], [0x61], [0x61, 0x00 + 1], [0x62], [0xc3, 0xa9], [0xff]] as [[UInt8]]
        #expect(names.reversed().map { FileName(unchecked: $0) }.sorted().map(\.bytes) == names)
    }

    @Test func `names that differ only in Unicode normal form are different`() throws {
        #expect(try FileName(Array("\u{e9}".utf8)) != FileName(Array("e\u{301}".utf8)))
    }
}

@Suite struct TreePathTests {
    @Test(
        arguments: [
            ("", []), ("/", []), (".", []), ("./.", []), ("a", ["a"]), ("/a/b/", ["a", "b"]),
            ("a//b/./c", ["a", "b", "c"]), ("...", ["..."]),
        ] as [(String, [String])])
    func `a path is read as the kernel reads it`(text: String, names: [String]) throws {
        let path = try TreePath(text.utf8)
        #expect(path.names.map(\.display) == names)
        #expect(path.display == names.joined(separator: "/"))
        #expect(path.isRoot == names.isEmpty)
        #expect(try TreePath(path.bytes) == path)
    }

    @Test(arguments: ["..", "a/../b", "a\0b", String(repeating: "a", count: 256)])
    func `a path that leaves its root or the rules is refused`(text: String) {
        let error = #expect(throws: ObjectError.self) { try TreePath(text.utf8) }
        #expect(error?.code == .invalidName)
    }

    @Test func `a path of 4096 bytes is whole`() throws {
        let bytes = Array(
            repeatElement(Array(repeating: UInt8(ascii: "x"), count: 255), count: 16).joined(separator: [0x2f]
            ))
        #expect(bytes.count == 4095)
        #expect(try TreePath(bytes).bytes == bytes)
    }

    @Test func `a directory comes before what is in it and after its smaller siblings`() throws {
        let paths = ["", "a", "a/b", "a/c", "a.txt", "b"]
        #expect(try paths.reversed().map { try TreePath($0.utf8) }.sorted().map(\.display) == paths)
        #expect(try TreePath("a".utf8).appending(FileName(literal: "b")) == TreePath("a/b".utf8))
    }
}
