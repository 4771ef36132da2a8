internal import Objects
internal import Store

/// The order in which a directory lists what it holds. See: `docs/ARCHITECTURE.md`, "Listings".
enum ListingOrder: Hashable, Sendable {
    /// Always the same, since the directory is.
    case constant
    /// That of the names' hashes. `version` is another whenever names have changed; nil where that is not known.
    case hashes(version: UInt16?)
}

/// What a directory lists, at one time.
struct Listing: Sendable {
    /// With the position behind each, which rises and is above those of `.` (1) and `..` (2).
    let items: [(item: DirectoryItem, next: Int64)]
    fileprivate let order: ListingOrder

    fileprivate init(_ items: [DirectoryItem], _ order: ListingOrder) {
        self.order = order
        guard case .hashes(let version) = order else {
            self.items = items.enumerated().map { ($1, Int64($0) + 3) }
            return
        }
        var last: UInt64 = 0
        self.items = items.map { (NameHash.of($0.name) >> Listing.unusedHashBits, $0) }
            .sorted { $0.0 < $1.0 }
            .map { hash, item in
                // Two names of one hash still have a place each.
                last = max(hash, last + 1)
                return (item, Int64(last << Listing.versionBits | UInt64(version ?? 0)))
            }
    }

    // 46 bits of hash and 16 of version leave the sign bit free and one more for hashes that are moved up.
    private static let unusedHashBits = 18
    private static let versionBits = 16

    /// The first of ``items`` behind `position`, which may be one of another version.
    func index(behind position: Int64) -> Int {
        let isConstant = order == .constant
        let place = isConstant ? position : position >> Int64(Listing.versionBits)
        var range = 0..<items.count
        while !range.isEmpty {
            let middle = (range.lowerBound + range.upperBound) / 2
            let next = isConstant ? items[middle].next : items[middle].next >> Int64(Listing.versionBits)
            range = next > place ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }

    /// Whether the kernel may keep what is given of it to a reader at `position`: the directory still lists this, and did
    /// when the reader was there.
    func isCurrent(for position: Int64, _ order: ListingOrder) -> Bool {
        guard order == self.order else { return false }
        switch order {
        case .constant: return true
        case .hashes(nil): return false
        case .hashes(let version?): return position <= 2 || UInt16(truncatingIfNeeded: position) == version
        }
    }
}

/// Listings that are being read, by directory. A reader goes on in the one that there is, or in a new one: positions
/// mean the same in all of a directory.
final class Listings: Sendable {
    private struct State {
        var byDirectory: [NodeID: Listing] = [:]
        /// The oldest first; also some that are there no more.
        var added: [NodeID] = []
        var itemCount = 0

        mutating func remove(_ id: NodeID) {
            if let listing = byDirectory.removeValue(forKey: id) { itemCount -= listing.items.count }
        }
    }

    private let state = Lock(State())
    /// Readers may stop before the end.
    private static let countMax = 64
    private static let itemCountMax = 262_144

    /// What to list of `directory` behind `position`; the newest state for a reader who begins.
    func listing(of directory: Node, behind position: Int64) throws(VFSError) -> Listing {
        if position > 0, let known = state.withLock({ $0.byDirectory[directory.id] }) { return known }
        // Before the names, so that it is never newer than they are.
        let order = directory.listingOrder
        let listing = Listing(try directory.list(), order)
        state.withLock { state in
            state.remove(directory.id)
            while let oldest = state.added.first,
                state.added.count >= Listings.countMax
                    || state.itemCount + listing.items.count > Listings.itemCountMax
            {
                state.added.removeFirst()
                state.remove(oldest)
            }
            state.byDirectory[directory.id] = listing
            state.added.append(directory.id)
            state.itemCount += listing.items.count
        }
        return listing
    }

    /// A reader of `directory` has been told that there is no more.
    func end(_ directory: Node) { state.withLock { $0.remove(directory.id) } }
}
