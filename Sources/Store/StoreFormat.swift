internal import Foundation
internal import Objects

/// What `firn.json` says: that this directory is a store, and of which format.
public struct StoreFormat: Codable, Hashable, Sendable {
    /// Raised when an older program could misread the store.
    public let format: Int
    /// A random UUID, for ever this store's.
    public let id: String
    /// ISO 8601, UTC.
    public let created: String

    /// Of a new store: it has the lowest number that what it holds needs.
    static let first = 1
    /// Of a store with tree nodes that are kept as deltas.
    static let deltas = 2
    /// The highest one that this program knows.
    public static let current = deltas
    static let fileName = RawPath("firn.json")

    init(id: String, created: Timestamp) {
        self.init(format: StoreFormat.first, id: id, created: CivilDate(created).timeText)
    }

    private init(format: Int, id: String, created: String) {
        self.format = format
        self.id = id
        self.created = created
    }

    /// The same store with this format, or with its own where that is higher.
    func raised(to number: Int) -> StoreFormat {
        StoreFormat(format: max(format, number), id: id, created: created)
    }

    package func encoded() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { preconditionFailure("strings and numbers encode") }
        return Array(data) + [UInt8(ascii: "\n")]
    }

    /// - Throws: ``StoreError`` `.notAStore` for anything but a store's file, `.newerFormat` for a later one.
    package init(decoding bytes: [UInt8], at path: String) throws(StoreError) {
        struct Number: Decodable { let format: Int }
        guard let number = try? JSONDecoder().decode(Number.self, from: Data(bytes)) else {
            throw StoreError(
                .notAStore, "firn.json is there but cannot be read", subject: path,
                hint: "restore firn.json from a backup; nothing else in the store was touched")
        }
        guard number.format <= StoreFormat.current, number.format > 0 else {
            throw StoreError(
                .newerFormat,
                "the store has format \(number.format); this program knows up to \(StoreFormat.current)",
                subject: path, hint: "use a newer firn; the store was not touched")
        }
        guard let format = try? JSONDecoder().decode(StoreFormat.self, from: Data(bytes)) else {
            throw StoreError(.notAStore, "firn.json lacks its id or date", subject: path)
        }
        self = format
    }
}
