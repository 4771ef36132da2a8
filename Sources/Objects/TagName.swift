/// A tag: a name meant to stay on one version.
///
/// Tags stand beside version names in `versions/` and are typed wherever a version is, so a tag can be
/// neither mistaken for a version number nor need quoting in a shell. A tag is valid when
///
/// 1. it has 1 to 128 characters, each one of `A-Z a-z 0-9 . _ + = @ -`;
/// 2. it begins with a letter, a digit or `_`: a leading `.` would hide it, `-` would read as an option, and
///    `@` begins a date;
/// 3. it is not all digits and not `v` followed by digits only: those are version numbers;
/// 4. it is neither `latest` nor `by-date`, which `versions/` has already, in any mixture of cases;
/// 5. it has no `..` in it, which is kept for ranges.
///
/// A tag may look like the beginning of a digest (`beef`): a tag that exists always wins over a digest.
public struct TagName: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let text: String

    public static let byteCountMax = 128

    /// - Throws: ``ObjectError`` `.invalidName`, with what is valid as its hint.
    public init(_ text: String) throws(ObjectError) {
        if let problem = TagName.problem(Array(text.utf8)) {
            throw ObjectError(.invalidName, problem, subject: text, hint: TagName.rules)
        }
        self.text = text
    }

    public var description: String { text }

    public static func < (a: TagName, b: TagName) -> Bool {
        a.text.utf8.lexicographicallyPrecedes(b.text.utf8)
    }

    /// Whether a tag may hold this character somewhere.
    public static func isTagCharacter(_ character: UInt8) -> Bool {
        switch character {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: punctuation.contains(character)
        }
    }

    private static let punctuation = Array("._+=@-".utf8)

    private static let rules = """
        a tag has 1 to \(byteCountMax) of the characters A-Z a-z 0-9 . _ + = @ - and begins with a letter, \
        a digit or _; it cannot be a version number (42, v42), 'latest' or 'by-date', nor hold '..'
        """

    private static func problem(_ bytes: [UInt8]) -> String? {
        guard let first = bytes.first else { return "a tag cannot be empty" }
        if bytes.count > byteCountMax { return "the tag has \(bytes.count) bytes, more than \(byteCountMax)" }
        guard bytes.allSatisfy(isTagCharacter) else { return "the tag holds a character that no tag may" }
        if punctuation.contains(first), first != UInt8(ascii: "_") {
            return "a tag cannot begin with '\(Character(Unicode.Scalar(first)))'"
        }
        let digits = first | 0x20 == UInt8(ascii: "v") ? bytes.dropFirst() : bytes[...]
        if !digits.isEmpty, digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) {
            return "a tag cannot shadow a version number"
        }
        let text = String(decoding: bytes, as: UTF8.self)
        if ["latest", "by-date"].contains(text.lowercased()) { return "'\(text)' has a meaning of its own" }
        if zip(bytes, bytes.dropFirst()).contains(where: { $0 == UInt8(ascii: ".") && $1 == $0 }) {
            return "a tag cannot hold '..'"
        }
        return nil
    }
}
