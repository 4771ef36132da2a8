public import Objects

/// A tag, or a shell pattern for tags: `*` stands for any characters, `?` for one.
public struct TagPattern: Hashable, Sendable, CustomStringConvertible {
    public let text: String

    /// - Throws: ``ObjectError`` `.invalidName` for text that can match no tag.
    public init(_ text: String) throws(ObjectError) {
        let isValid = text.utf8.allSatisfy {
            TagName.isTagCharacter($0) || TagPattern.wildcards.contains($0)
        }
        guard isValid, (1...TagName.byteCountMax).contains(text.utf8.count) else {
            throw ObjectError(
                .invalidName, "no tag can match this", subject: text,
                hint: "a pattern is a tag in which * stands for any characters and ? for one")
        }
        self.text = text
    }

    /// Matches exactly `tag`.
    public init(_ tag: TagName) {
        text = tag.text
    }

    public var description: String { text }

    /// Takes at most the product of both lengths.
    public func matches(_ tag: String) -> Bool {
        let pattern = Array(text.utf8)
        let name = Array(tag.utf8)
        var (p, n) = (0, 0)
        // Where to resume after a mismatch: behind the last star, which then takes one character more.
        var star: (next: Int, taken: Int)?
        while n < name.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                star = (p + 1, n)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == name[n] {
                (p, n) = (p + 1, n + 1)
            } else if let (next, taken) = star {
                star = (next, taken + 1)
                (p, n) = (next, taken + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    private static let wildcards = Array("*?".utf8)
}
