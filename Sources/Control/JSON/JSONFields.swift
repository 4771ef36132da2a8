internal import Objects
internal import Store

/// Takes an object apart member by member and refuses what is not what was expected, by name.
///
/// Each call takes one member out; ``end()`` refuses those that nobody asked for, so a slip in a key is an error
/// and not a value that was silently dropped.
struct JSONFields {
    private let what: String
    private var members: [String: JSONValue] = [:]
    private var known: [String] = []

    /// - Parameter what: what the object is, for messages: `commit`.
    /// - Throws: ``StoreError`` `.invalidInput`, as all calls do.
    init(_ value: JSONValue, of what: String) throws(StoreError) {
        self.what = what
        guard case .object(let members) = value else {
            throw StoreError(.invalidInput, "not a JSON object", subject: what)
        }
        for member in members { self.members[member.key] = member.value }
    }

    /// The member as it is; nil where it is missing or null.
    mutating func value(_ key: String) -> JSONValue? {
        known.append(key)
        guard let value = members.removeValue(forKey: key), value != .null else { return nil }
        return value
    }

    mutating func text(_ key: String) throws(StoreError) -> String? {
        guard let value = value(key) else { return nil }
        guard let text = value.string else { throw wrong(key, "a text in quotes") }
        return text
    }

    mutating func requiredText(_ key: String) throws(StoreError) -> String {
        guard let text = try text(key) else { throw missing(key) }
        return text
    }

    /// False where it is missing.
    mutating func flag(_ key: String) throws(StoreError) -> Bool {
        guard let value = value(key) else { return false }
        guard let flag = value.bool else { throw wrong(key, "true or false") }
        return flag
    }

    mutating func integer(_ key: String) throws(StoreError) -> Int? {
        guard let value = value(key) else { return nil }
        guard let number = value.integer else { throw wrong(key, "a whole number") }
        return number
    }

    /// Empty where it is missing.
    mutating func array(_ key: String) throws(StoreError) -> [JSONValue] {
        guard let value = value(key) else { return [] }
        guard case .array(let elements) = value else { throw wrong(key, "an array") }
        return elements
    }

    /// Empty where it is missing.
    mutating func texts(_ key: String) throws(StoreError) -> [String] {
        var texts: [String] = []
        for element in try array(key) {
            guard let text = element.string else { throw wrong(key, "an array of texts in quotes") }
            texts.append(text)
        }
        return texts
    }

    /// Empty where it is missing.
    mutating func object(_ key: String) throws(StoreError) -> [JSONValue.Member] {
        guard let value = value(key) else { return [] }
        guard case .object(let members) = value else { throw wrong(key, "an object") }
        return members
    }

    /// To be called when everything was asked for.
    func end() throws(StoreError) {
        guard let unknown = members.keys.min() else { return }
        let near = NearMatches.of(unknown, among: known).first.map { "did you mean '\($0)'? " } ?? ""
        throw StoreError(
            .invalidInput, "a \(what) has no such key", subject: unknown,
            hint: near + "the keys are " + known.joined(separator: ", "))
    }

    func missing(_ key: String) -> StoreError {
        StoreError(.invalidInput, "a \(what) needs this key", subject: key)
    }

    func wrong(_ key: String, _ wanted: String) -> StoreError {
        StoreError(.invalidInput, "the value must be \(wanted)", subject: key)
    }
}
