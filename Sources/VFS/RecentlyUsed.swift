/// Values for whoever asks for them next, of which so many are kept as fit in two halves.
///
/// When the young half is full it becomes the old one, whose values come back when they are asked for and are let go
/// with it when they are not.
struct RecentlyUsed<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private var young: [Key: Value] = [:]
    private var old: [Key: Value] = [:]

    mutating func find(_ key: Key) -> Value? {
        if let value = young[key] { return value }
        guard let value = old.removeValue(forKey: key) else { return nil }
        young[key] = value
        return value
    }

    /// - Parameter halfCount: how many values are kept in one half.
    /// - Returns: what is let go of. Where it closes files, that is to be done without a lock.
    mutating func keep(_ value: Value, for key: Key, halfCount: Int) -> [Key: Value] {
        var gone: [Key: Value] = [:]
        if young.count >= halfCount {
            gone = old
            old = young
            young = [:]
        }
        if let other = old.removeValue(forKey: key) { gone[key] = other }
        if let other = young.updateValue(value, forKey: key) { gone[key] = other }
        return gone
    }

    mutating func remove(_ key: Key) -> Value? {
        young.removeValue(forKey: key) ?? old.removeValue(forKey: key)
    }

    /// - Returns: as ``keep(_:for:halfCount:)``.
    mutating func removeAll() -> [[Key: Value]] {
        defer { self = RecentlyUsed() }
        return [young, old]
    }
}
