/// A moment as the kernel's `timespec` has it: seconds since 1970-01-01T00:00:00Z and nanoseconds.
///
/// Nanoseconds alone, in 64 bits, would reach from 1677 to 2262 only, and files may have other times: ext4 keeps them
/// to 2446, XFS to 2486, btrfs and archives any.
public struct Timestamp: Hashable, Sendable {
    /// Whole seconds, rounded towards the past, as `tv_sec`.
    public let seconds: Int64
    /// What ``seconds`` leaves, 0 to 999,999,999, as `tv_nsec`.
    public let subsecond: Int64

    public init(nanoseconds: Int64) { self.init(seconds: 0, nanoseconds: nanoseconds) }

    /// - Parameter nanoseconds: may be negative, or more than a second has. What lies beyond 64 bits of seconds becomes
    ///   the nearest end.
    public init(seconds: Int64, nanoseconds: Int64) {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: Timestamp.perSecond)
        let goesBack = remainder < 0
        let (sum, overflows) = seconds.addingReportingOverflow(goesBack ? quotient - 1 : quotient)
        guard !overflows else {
            self.seconds = seconds < 0 ? .min : .max
            subsecond = seconds < 0 ? 0 : Timestamp.perSecond - 1
            return
        }
        self.seconds = sum
        subsecond = goesBack ? remainder + Timestamp.perSecond : remainder
    }

    static let perSecond: Int64 = 1_000_000_000

    /// Nanoseconds since 1970; the nearest end of 64 bits for a moment before 1677-09-21 or after 2262-04-11.
    public var nanoseconds: Int64 { exactNanoseconds ?? (seconds < 0 ? .min : .max) }

    /// nil for a moment whose nanoseconds 64 bits cannot hold.
    public var exactNanoseconds: Int64? {
        // Not a product of 64 bits: the whole seconds of the earliest moments overflow.
        Int64(exactly: Int128(seconds) * Int128(Timestamp.perSecond) + Int128(subsecond))
    }
}

extension Timestamp: Comparable {
    public static func < (a: Timestamp, b: Timestamp) -> Bool {
        (a.seconds, a.subsecond) < (b.seconds, b.subsecond)
    }
}

extension Timestamp {
    /// One number of nanoseconds, or `[seconds, nanoseconds]` where 64 bits do not hold it. Layout:
    /// `docs/FORMAT.md`, "Tree entries".
    func encode(into writer: inout CBORWriter) {
        if let exactNanoseconds { return writer.signed(exactNanoseconds) }
        writer.array(count: 2)
        writer.signed(seconds)
        writer.unsigned(UInt64(subsecond))
    }

    init(from reader: inout CBORReader) throws(ObjectError) {
        guard reader.isArray else {
            self.init(nanoseconds: try reader.signed())
            return
        }
        try reader.array(of: 2)
        let seconds = try reader.signed()
        let subsecond = try reader.unsigned()
        guard subsecond < UInt64(Timestamp.perSecond) else {
            throw reader.malformed("nanoseconds out of range")
        }
        self.init(seconds: seconds, nanoseconds: Int64(subsecond))
        guard exactNanoseconds == nil else { throw reader.malformed("time not in its shortest form") }
    }
}
