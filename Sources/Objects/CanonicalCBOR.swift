// The subset of RFC 8949 that Firn's objects use, in the deterministic form of its section 4.2.1: integers in
// their shortest form, definite lengths, arrays, byte strings and null. There is no map, no float and no tag,
// so every value has exactly one encoding and the reader can refuse all others as it goes.

/// Writes canonical CBOR.
public struct CBORWriter: Sendable {
    public private(set) var bytes: [UInt8] = []

    public init() {}

    public mutating func array(count: Int) { head(major: 4, UInt64(count)) }

    public mutating func unsigned(_ value: UInt64) { head(major: 0, value) }

    public mutating func signed(_ value: Int64) {
        if value >= 0 {
            head(major: 0, UInt64(value))
        } else {
            head(major: 1, ~UInt64(bitPattern: value))
        }
    }

    public mutating func byteString(_ value: some Collection<UInt8>) {
        head(major: 2, UInt64(value.count))
        bytes.append(contentsOf: value)
    }

    /// Text is stored as the bytes of its UTF-8.
    public mutating func text(_ value: String) { byteString(Array(value.utf8)) }

    public mutating func null() { bytes.append(0xf6) }

    /// Items that are encoded already.
    mutating func items(_ encoded: some Collection<UInt8>) { bytes.append(contentsOf: encoded) }

    private mutating func head(major: UInt8, _ value: UInt64) {
        let type = major << 5
        let (width, detail): (Int, UInt8)
        switch value {
        case 0..<24: (width, detail) = (0, UInt8(value))
        case 24...0xff: (width, detail) = (1, 24)
        case 0x100...0xffff: (width, detail) = (2, 25)
        case 0x1_0000...0xffff_ffff: (width, detail) = (4, 26)
        default: (width, detail) = (8, 27)
        }
        bytes.append(type | detail)
        for shift in stride(from: (width - 1) * 8, through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }
}

/// Reads canonical CBOR and refuses every other encoding of the same value.
///
/// All reads throw ``ObjectError`` `.malformed`. Lengths are checked against what is left before anything is
/// allocated, so hostile bytes cost no more memory than they have.
public struct CBORReader: Sendable {
    private let bytes: [UInt8]
    /// How many bytes were read.
    private(set) var position = 0

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public mutating func array() throws(ObjectError) -> Int {
        let count = try head(major: 4)
        // Each element takes at least one byte.
        guard count <= UInt64(bytes.count - position) else { throw malformed("array is cut short") }
        return Int(count)
    }

    /// Whether an array comes next.
    public var isArray: Bool { isNext(4) }
    var isUnsigned: Bool { isNext(0) }
    var isNegative: Bool { isNext(1) }
    var isByteString: Bool { isNext(2) }

    private func isNext(_ major: UInt8) -> Bool { position < bytes.count && bytes[position] >> 5 == major }

    public mutating func array(of expected: Int) throws(ObjectError) {
        let count = try array()
        guard count == expected else { throw malformed("array of \(count), expected \(expected)") }
    }

    public mutating func unsigned() throws(ObjectError) -> UInt64 { try head(major: 0) }

    public mutating func unsigned<T: FixedWidthInteger>(as type: T.Type) throws(ObjectError) -> T {
        guard let value = T(exactly: try unsigned()) else { throw malformed("number out of range") }
        return value
    }

    public mutating func signed() throws(ObjectError) -> Int64 {
        guard position < bytes.count else { throw malformed("cut short") }
        let negative = bytes[position] >> 5 == 1
        let value = try head(major: negative ? 1 : 0)
        guard let magnitude = Int64(exactly: value) else { throw malformed("number out of range") }
        return negative ? ~magnitude : magnitude
    }

    public mutating func byteString() throws(ObjectError) -> [UInt8] {
        let range = try byteStringRange()
        return bytes.withUnsafeBufferPointer { Array(UnsafeBufferPointer(rebasing: $0[range])) }
    }

    /// Where the bytes of a byte string lie.
    mutating func byteStringRange() throws(ObjectError) -> Range<Int> {
        let count = try head(major: 2)
        guard count <= UInt64(bytes.count - position) else { throw malformed("byte string is cut short") }
        let start = position
        position += Int(count)
        return start..<position
    }

    /// The bytes of an item of any kind, with all that is in it.
    mutating func item() throws(ObjectError) -> ArraySlice<UInt8> {
        let start = position
        try skip(1)
        return bytes[start..<position]
    }

    /// Passes over so many items of any kind, with all that is in them.
    mutating func skip(_ count: Int) throws(ObjectError) {
        // Not by recursion: arrays may be nested as deeply as there are bytes.
        var missing = count
        while missing > 0 {
            missing -= 1
            guard position < bytes.count else { throw malformed("cut short") }
            switch bytes[position] >> 5 {
            case 0: _ = try unsigned()
            case 1: _ = try signed()
            case 2: _ = try byteStringRange()
            case 4: missing += try array()
            default: guard null() else { throw malformed("not of a known type") }
            }
        }
    }

    public mutating func digest() throws(ObjectError) -> Digest {
        guard let digest = Digest(bytes: bytes[try byteStringRange()]) else {
            throw malformed("not a digest")
        }
        return digest
    }

    public mutating func text() throws(ObjectError) -> String {
        guard let text = String(validating: try byteString(), as: UTF8.self) else {
            throw malformed("text is not UTF-8")
        }
        return text
    }

    /// Consumes a null if one comes next.
    public mutating func null() -> Bool {
        guard position < bytes.count, bytes[position] == 0xf6 else { return false }
        position += 1
        return true
    }

    /// To be called when the object is complete: nothing may follow it.
    public func end() throws(ObjectError) {
        guard position == bytes.count else { throw malformed("bytes follow the end") }
    }

    // Not where it is called: what reads should be short.
    @inline(never)
    public func malformed(_ what: String) -> ObjectError {
        ObjectError(.malformed, "\(what) at byte \(position)")
    }

    @inline(__always)
    private mutating func head(major: UInt8) throws(ObjectError) -> UInt64 {
        // Most are one byte.
        if position < bytes.count {
            let detail = bytes[position] ^ major << 5
            if detail < 24 {
                position += 1
                return UInt64(detail)
            }
        }
        return try longHead(major: major)
    }

    private mutating func longHead(major: UInt8) throws(ObjectError) -> UInt64 {
        guard position < bytes.count else { throw malformed("cut short") }
        let first = bytes[position]
        guard first >> 5 == major else { throw malformed("type \(first >> 5), expected \(major)") }
        position += 1
        let detail = first & 31
        guard detail <= 27 else { throw malformed("indefinite or reserved length") }
        let width = 1 << Int(detail - 24)
        guard bytes.count - position >= width else { throw malformed("cut short") }
        var value: UInt64 = 0
        for _ in 0..<width {
            value = value << 8 | UInt64(bytes[position])
            position += 1
        }
        let smallest: UInt64 = width == 1 ? 24 : 1 << UInt64(width * 4)
        guard value >= smallest else { throw malformed("number not in its shortest form") }
        return value
    }
}
