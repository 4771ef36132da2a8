import Objects
import Testing

@Suite struct CanonicalCBORTests {
    /// Appendix A of RFC 8949, as far as Firn uses it.
    @Test(
        arguments: [
            (0, "00"), (1, "01"), (10, "0a"), (23, "17"), (24, "1818"), (25, "1819"), (100, "1864"),
            (255, "18ff"), (256, "190100"), (1000, "1903e8"), (65_535, "19ffff"), (65_536, "1a00010000"),
            (1_000_000, "1a000f4240"), (4_294_967_295, "1affffffff"), (4_294_967_296, "1b0000000100000000"),
            (1_000_000_000_000, "1b000000e8d4a51000"), (18_446_744_073_709_551_615, "1bffffffffffffffff"),
        ] as [(UInt64, String)])
    func `a number has its shortest form`(value: UInt64, hex: String) throws {
        var writer = CBORWriter()
        writer.unsigned(value)
        #expect(Hex.encode(writer.bytes) == hex)
        var reader = CBORReader(writer.bytes)
        let read = try reader.unsigned()
        try reader.end()
        #expect(read == value)
    }

    @Test(
        arguments: [
            (0, "00"), (-1, "20"), (-10, "29"), (-24, "37"), (-25, "3818"), (-100, "3863"), (-256, "38ff"),
            (-257, "390100"), (-1000, "3903e7"), (.max, "1b7fffffffffffffff"), (.min, "3b7fffffffffffffff"),
        ] as [(Int64, String)])
    func `a signed number has its shortest form`(value: Int64, hex: String) throws {
        var writer = CBORWriter()
        writer.signed(value)
        #expect(Hex.encode(writer.bytes) == hex)
        var reader = CBORReader(writer.bytes)
        let read = try reader.signed()
        try reader.end()
        #expect(read == value)
    }

    @Test(arguments: [
        "1800", "1817", "190000", "1900ff", "1a00000000", "1a0000ffff", "1b0000000000000000",
        "1b00000000ffffffff",
    ])
    func `a number in a longer form is refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.unsigned() }
    }

    @Test(arguments: ["", "18", "19ff", "1affffff", "1bffffffffffffff"])
    func `a number cut short is refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.unsigned() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.signed() }
    }

    @Test(arguments: ["1c", "1d", "1e", "1f", "3f", "5f", "9f", "ff"])
    func `reserved and indefinite lengths are refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.unsigned() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.signed() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.byteString() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.array() }
    }

    @Test(arguments: ["1b8000000000000000", "3b8000000000000000", "3bffffffffffffffff"])
    func `a number that 64 signed bits cannot hold is refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.signed() }
    }

    @Test(arguments: ["41", "420a", "5801", "5affffffff00", "5bffffffffffffffff00", "5b7fffffffffffffff"])
    func `a byte string longer than what is left is refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.byteString() }
    }

    @Test(arguments: ["81", "820a", "9affffffff00", "9bffffffffffffffff", "9b7fffffffffffffff00"])
    func `an array longer than what is left is refused`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.array() }
    }

    @Test func `an array of another length is refused`() throws {
        try expectMalformed("820000") { reader throws(ObjectError) in try reader.array(of: 3) }
    }

    @Test func `bytes after the end are refused`() throws {
        var reader = CBORReader([0x00, 0x00])
        _ = try reader.unsigned()
        let error = #expect(throws: ObjectError.self) { try reader.end() }
        #expect(error?.code == .malformed)
        #expect(error?.message.contains("byte 1") == true)
    }

    @Test(arguments: ["a0", "60", "c0", "f4", "f6", "f90000"])
    func `maps text tags floats and null are no numbers`(hex: String) throws {
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.unsigned() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.byteString() }
        try expectMalformed(hex) { reader throws(ObjectError) in _ = try reader.array() }
    }

    @Test func `null is consumed only where it is`() throws {
        var reader = CBORReader([0xf6, 0x05])
        let first = reader.null()
        let second = reader.null()
        let number = try reader.unsigned()
        let atEnd = reader.null()
        #expect([first, second, atEnd] == [true, false, false])
        #expect(number == 5)
    }

    @Test func `text that is not UTF-8 is refused`() throws {
        try expectMalformed("42c328") { reader throws(ObjectError) in _ = try reader.text() }
    }

    @Test func `a digest of another length is refused`() throws {
        try expectMalformed("41aa") { reader throws(ObjectError) in _ = try reader.digest() }
    }

    @Test func `a number out of the range of its type is refused`() throws {
        try expectMalformed("190100") { reader throws(ObjectError) in
            _ = try reader.unsigned(as: UInt8.self)
        }
        try expectMalformed("1b8000000000000000") { reader throws(ObjectError) in
            _ = try reader.unsigned(as: Int.self)
        }
    }

    private func expectMalformed(
        _ hex: String, _ read: (inout CBORReader) throws(ObjectError) -> Void,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        var reader = CBORReader(try #require(Hex.decode(hex)))
        let error = #expect(throws: ObjectError.self, sourceLocation: sourceLocation) { try read(&reader) }
        #expect(error?.code == .malformed, sourceLocation: sourceLocation)
    }
}
