/// Finds what a person may have meant by a name that does not exist.
public enum NearMatches {
    public static let countMax = 3
    /// More edits than these make another name, not a slip.
    static let distanceMax = 4
    /// A beginning shorter than this says too little.
    static let prefixCountMin = 2
    /// Longer names are compared by their beginnings, which bounds the work for each candidate.
    static let byteCountMax = 256

    /// Up to three of `candidates`, the nearest first: names that differ only in case, then names within a
    /// few slips (a third of the length, at most 4; exchanged neighbours count as one), then names of which
    /// one begins with the other. Equally near names come in order of their bytes.
    public static func of(_ wrong: String, among candidates: some Sequence<String>) -> [String] {
        let wanted = folded(wrong)
        guard !wanted.isEmpty else { return [] }
        var best: [(rank: Int, name: String)] = []
        for name in candidates where name != wrong {
            guard let rank = rank(wanted, folded(name)) else { continue }
            let index = best.firstIndex {
                rank == $0.rank ? name.utf8.lexicographicallyPrecedes($0.name.utf8) : rank < $0.rank
            }
            best.insert((rank, name), at: index ?? best.endIndex)
            if best.count > countMax { best.removeLast() }
        }
        return best.map(\.name)
    }

    /// ASCII letters in lower case: a slip of the shift key costs nothing.
    private static func folded(_ name: String) -> [UInt8] {
        name.utf8.prefix(byteCountMax).map {
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0
        }
    }

    /// Smaller is nearer; nil is too far.
    private static func rank(_ wanted: [UInt8], _ name: [UInt8]) -> Int? {
        if wanted == name { return 0 }
        let limit = min(distanceMax, max(1, wanted.count / 3))
        if let distance = distance(wanted, name, limit: limit) { return distance }
        guard min(wanted.count, name.count) >= prefixCountMin,
            wanted.starts(with: name) || name.starts(with: wanted)
        else { return nil }
        return distanceMax + abs(wanted.count - name.count)
    }

    /// Insertions, deletions, replacements and exchanges of neighbours (the restricted Damerau-Levenshtein
    /// distance) that turn `a` into `b`; nil for more than `limit`.
    static func distance(_ a: [UInt8], _ b: [UInt8], limit: Int) -> Int? {
        guard abs(a.count - b.count) <= limit else { return nil }
        // Cells further than `limit` from the diagonal cost more than `limit`: they are left at this.
        let tooFar = limit + 1
        var beforeLast: [Int] = []
        var last = Array(0...b.count)
        for i in a.indices {
            var row = [Int](repeating: tooFar, count: b.count + 1)
            row[0] = i + 1
            for j in max(0, i - limit)..<max(0, min(b.count, i + limit + 1)) {
                var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    cost = min(cost, beforeLast[j - 1] + 1)
                }
                row[j + 1] = cost
            }
            // No later row can be smaller than the smaller of two rows in succession.
            if min(row.min() ?? 0, last.min() ?? 0) > limit { return nil }
            (beforeLast, last) = (last, row)
        }
        return last[b.count] <= limit ? last[b.count] : nil
    }
}
