import Objects
import Store

// Words that name versions, tags, policies and paths, in arguments, requests and the mount.
extension FuzzTarget {
    static let words: [FuzzTarget] = [
        .choice(
            "words", byteCountMax: 512,
            [
                FuzzTarget("selector") { bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    if let selector = try? VersionSelector.parse(text) { _ = selector.digestPrefix }
                    if let (_, path) = try? VersionSelector.parseWithPath(text),
                        (try? TreePath(path.bytes)) != path
                    {
                        return "selector: a path that is another when it is read again"
                    }
                    return nil
                },
                FuzzTarget("tag") { bytes in
                    let text = String(decoding: bytes, as: UTF8.self)
                    if let pattern = try? TagPattern(text),
                        !text.utf8.contains(where: { "*?".utf8.contains($0) }),
                        !pattern.matches(text)
                    {
                        return "tag: a pattern without wildcards does not match itself"
                    }
                    guard let tag = try? TagName(text) else { return nil }
                    guard let selector = try? VersionSelector.parse(text) else {
                        return "tag: no version can be called by it"
                    }
                    return selector == VersionSelector(.name(tag.text))
                        ? nil : "tag: taken for something else"
                },
                .stable("pattern") { bytes throws(ObjectError) in
                    // Both halves from the input: a pattern, and a name to hold against it.
                    let parts = bytes.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
                    let pattern = try TagPattern(String(decoding: parts[0], as: UTF8.self))
                    if parts.count > 1 { _ = pattern.matches(String(decoding: parts[1], as: UTF8.self)) }
                    return pattern
                } encode: {
                    Array($0.text.utf8)
                },
                .stable("period") { bytes throws(ObjectError) in
                    let period = try RetentionPeriod(parsing: String(decoding: bytes, as: UTF8.self))
                    for time in [Int64.min, -1, 0, 1_763_632_205_000_000_001, .max] {
                        _ = period.before(Timestamp(nanoseconds: time))
                        _ = period.before(Timestamp(seconds: time, nanoseconds: 0))
                    }
                    return period
                } encode: {
                    Array($0.description.utf8)
                },
                FuzzTarget("path") { bytes in
                    guard let path = try? TreePath(bytes) else { return nil }
                    let isPlain = path.names.allSatisfy { FileName.isValid($0.bytes) }
                    return isPlain && (try? TreePath(path.bytes)) == path
                        ? nil : "path: not in its plain form"
                },
            ])
    ]
}
