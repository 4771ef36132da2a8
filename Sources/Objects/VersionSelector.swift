/// What a person types to name a version, and what resolves below `versions/` without being listed there.
///
/// | text | means |
/// |---|---|
/// | `latest` | the newest version |
/// | `42`, `v42`, `v000042` | that number |
/// | `nightly-3` | the tag; where there is none, the version whose digest begins so (4 hex digits or more) |
/// | `@2026-11-20` | the newest version at the end of that day, UTC |
/// | `@2026-11-20T12:00:00Z` | the newest version at the end of that second |
/// | any of these and `~N` | N versions further back, counting only versions that are kept |
///
/// The end of the second, so that a time copied from `firn log` finds its own version. Parsing needs no
/// store: it says what is meant, not whether it exists.
public struct VersionSelector: Hashable, Sendable {
    public enum Base: Hashable, Sendable {
        case latest
        case number(VersionNumber)
        /// A tag of this name first; else ``VersionSelector/digestPrefix``.
        case name(String)
        /// The newest version whose time is before `end`.
        case atTime(end: Timestamp)
    }

    public let base: Base
    /// How many versions back from ``base``; 0 is ``base`` itself.
    public let back: Int

    /// Fewer hexadecimal digits than these never name a digest.
    public static let digestPrefixCountMin = 4

    public init(_ base: Base, back: Int = 0) {
        self.base = base
        self.back = back
    }

    /// - Throws: ``ObjectError`` `.invalidName` for text that no version could be called by.
    public static func parse(_ text: String) throws(ObjectError) -> VersionSelector {
        let parts = text.utf8.split(
            separator: UInt8(ascii: "~"), maxSplits: 1, omittingEmptySubsequences: false)
        let base = try parseBase(String(parts[0]) ?? "", in: text)
        guard parts.count == 2 else { return VersionSelector(base) }
        guard isDigits(parts[1]), parts[1].count <= 9, let back = Int(String(parts[1]) ?? "") else {
            throw invalid(text, "'~' wants a number of versions to go back")
        }
        return VersionSelector(base, back: back)
    }

    /// The name in lower case, if it could be the beginning of a digest: 4 to 64 hexadecimal digits.
    public var digestPrefix: String? {
        guard case .name(let name) = base, VersionSelector.isDigestPrefix(name) else { return nil }
        return name.lowercased()
    }

    private static func parseBase(_ text: String, in whole: String) throws(ObjectError) -> Base {
        if text == "latest" { return .latest }
        if text.utf8.first == UInt8(ascii: "@") { return try parseTime(text, in: whole) }
        let digits = text.utf8.first == UInt8(ascii: "v") ? text.utf8.dropFirst() : text.utf8[...]
        if isDigits(digits), let number = Int64(String(digits) ?? "") {
            return .number(VersionNumber(number))
        }
        // Digits that no number can hold may still begin a digest.
        if isDigestPrefix(text) { return .name(text) }
        do {
            return .name(try TagName(text).text)
        } catch {
            throw invalid(whole, "no version can be called this")
        }
    }

    private static func parseTime(_ text: String, in whole: String) throws(ObjectError) -> Base {
        let digits = text.dropFirst()
        guard let date = CivilDate(parsing: digits) else {
            throw invalid(whole, "not a date of the calendar")
        }
        let length = digits.utf8.count == 10 ? Int64(CivilDate.secondsPerDay) : 1
        return .atTime(end: Timestamp(seconds: date.timestamp.seconds + length, nanoseconds: 0))
    }

    private static func isDigits(_ text: Substring.UTF8View) -> Bool {
        !text.isEmpty && text.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    private static func isDigestPrefix(_ text: String) -> Bool {
        let count = text.utf8.count
        guard count >= digestPrefixCountMin, count <= Digest.byteCount * 2 else { return false }
        return Hex.decode(count.isMultiple(of: 2) ? text : text + "0") != nil
    }

    private static func invalid(_ text: String, _ message: String) -> ObjectError {
        ObjectError(
            .invalidName, message, subject: text,
            hint: """
                a version is 'latest', a number (42), a tag, the beginning of a digest \
                (\(digestPrefixCountMin) hex digits or more), @2026-11-20 or @2026-11-20T12:00:00Z (UTC); \
                ~2 after it goes two versions back
                """)
    }
}

extension VersionSelector {
    /// Reads `VERSION[:PATH]`, as `firn ls` and `firn cat` take it. Without a path it is the root.
    ///
    /// - Throws: ``ObjectError`` `.invalidName` for either part.
    public static func parseWithPath(
        _ text: String
    ) throws(ObjectError) -> (selector: VersionSelector, path: TreePath) {
        // The colons of a time are not the one before the path.
        let isTime =
            text.utf8.first == UInt8(ascii: "@") && text.utf8.dropFirst(11).first == UInt8(ascii: "T")
        let start = isTime ? text.utf8.firstIndex(of: UInt8(ascii: "Z")) ?? text.startIndex : text.startIndex
        guard let colon = text.utf8[start...].firstIndex(of: UInt8(ascii: ":")) else {
            return (try parse(text), .root)
        }
        let path = try TreePath(text.utf8[text.utf8.index(after: colon)...])
        return (try parse(String(text[..<colon])), path)
    }
}
