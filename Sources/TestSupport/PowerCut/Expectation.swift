internal import Foundation

/// What must be true of a store after a power cut at some moment, as a load says it of itself while it runs.
///
/// Contents are texts of ``StoreFixture/contents(of:)``: one line for each path.
public struct Expectation: Codable, Hashable, Sendable {
    /// What was going on, for a reader of a failure.
    public var phase = ""
    /// `firn init` was acknowledged.
    public var isStore = false
    /// Contents of the versions that were acknowledged and not forgotten, by number.
    public var versions: [Int64: String] = [:]
    /// A commit that was not acknowledged yet: its version may be there, whole, or not.
    public var mayAppear: [Int64: String] = [:]
    /// What staging shows if it is.
    public var stagingIfAppeared: String?
    /// Versions whose forgetting was not acknowledged yet: all of them are there, or none.
    public var mayVanish: [Int64] = []
    /// Contents of what staging shows: one of these. nil while something in it was neither synced nor sealed.
    public var staging: [String]?
    /// Single paths of staging, and what each shows: synced files among others that were not.
    public var paths: [String: String] = [:]

    public init() {}

    public var encoded: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let data = try? encoder.encode(self) else { preconditionFailure("strings and numbers encode") }
        return String(decoding: data, as: UTF8.self)
    }

    public init(decoding bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(Expectation.self, from: Data(bytes))
    }
}
