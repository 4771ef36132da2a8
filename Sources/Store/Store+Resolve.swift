public import Objects

extension Store {
    /// The version that `text` names: see ``VersionSelector`` for what can be said.
    ///
    /// - Throws: ``StoreError`` `.unknownVersion`, with similar names in its hint; `.ambiguousVersion` for a
    ///   digest prefix that several versions have; `.invalidInput` for text that can name none.
    public func resolve(_ text: String) throws(StoreError) -> Version {
        let selector: VersionSelector
        do throws(ObjectError) {
            selector = try VersionSelector.parse(text)
        } catch { throw StoreError(error) }
        if let version = try find(selector) { return version }
        throw try unknown(text, selector)
    }

    /// The same without the search for similar names; nil where no version is meant.
    ///
    /// - Throws: ``StoreError`` `.ambiguousVersion`.
    public func find(_ selector: VersionSelector) throws(StoreError) -> Version? {
        switch selector.base {
        case .latest: return try catalog.version(back: selector.back, from: VersionNumber(.max))
        case .number(let number): return try step(try catalog.version(number), back: selector.back)
        case .atTime(let end): return try step(try catalog.newestVersion(before: end), back: selector.back)
        case .name(let name):
            if let number = try catalog.tag(name) {
                return try step(try catalog.version(number), back: selector.back)
            }
            guard let prefix = selector.digestPrefix else { return nil }
            return try step(try version(digestPrefix: prefix), back: selector.back)
        }
    }

    private func step(_ version: Version?, back: Int) throws(StoreError) -> Version? {
        guard back > 0, let version else { return version }
        return try catalog.version(back: back, from: version.number)
    }

    private func version(digestPrefix prefix: String) throws(StoreError) -> Version? {
        let found = try catalog.versions(digestPrefix: prefix, limit: NearMatches.countMax + 1)
        guard found.count > 1 else {
            return try found.first.flatMap { found throws(StoreError) in try catalog.version(found.number) }
        }
        let candidates = found.prefix(NearMatches.countMax).map { "\($0.number) (\($0.digest.short))" }
        let more = found.count > NearMatches.countMax ? " and more" : ""
        throw StoreError(
            .ambiguousVersion, "several versions have a digest that begins so", subject: prefix,
            hint: "give more digits, or one of \(candidates.joined(separator: ", "))\(more)")
    }

    private func unknown(_ text: String, _ selector: VersionSelector) throws(StoreError) -> StoreError {
        let numbers = try catalog.numbers()
        guard let oldest = numbers.first else {
            return StoreError(
                .unknownVersion, "the store has no version yet", subject: text,
                hint: "make the first with: firn commit")
        }
        if selector.back > 0, try find(VersionSelector(selector.base)) != nil {
            return StoreError(
                .unknownVersion, "there are not that many versions before it", subject: text,
                hint: "the oldest that is kept is \(oldest)")
        }
        if case .atTime = selector.base {
            return StoreError(
                .unknownVersion, "no version that is kept is that old", subject: text,
                hint: "the oldest that is kept is \(oldest)")
        }
        let name = String(text.prefix { $0 != "~" })
        let names = Array(try catalog.tags().keys) + ["latest"] + numbers.map(\.description)
        let suggestion = Store.suggestion(NearMatches.of(name, among: names))
        return StoreError(
            .unknownVersion,
            try wasSealed(selector) ? "the version has been forgotten" : "there is no such version",
            subject: text, hint: suggestion ?? "firn log lists the versions there are")
    }

    /// Whether the selector gives the number of a version that there once was.
    private func wasSealed(_ selector: VersionSelector) throws(StoreError) -> Bool {
        guard case .number(let number) = selector.base, number.value > 0 else { return false }
        return number <= (try catalog.greatestNumber())
    }
}
