internal import Objects
internal import Store

/// The order in which a directory lists what it holds. See: `docs/ARCHITECTURE.md`, "Listings".
enum ListingOrder: Hashable, Sendable {
    /// Always the same, since the directory is.
    case constant
    /// That of the names' hashes. `version` is another whenever names have changed, and `replacements` when that was
    /// without the kernel's doing.
    case hashes(version: UInt16, replacements: UInt16)
    /// That of the names' hashes; names change, and nobody says when.
    case changing
}

/// What a directory lists, at one time.
struct Listing: Sendable {
    /// With the position behind each, which rises and is above those of `.` (1) and `..` (2).
    let items: [(item: DirectoryItem, next: Int64)]
    fileprivate let order: ListingOrder

    fileprivate init(_ items: [DirectoryItem], _ order: ListingOrder) {
        self.order = order
        let version: UInt16
        switch order {
        case .constant:
            self.items = items.enumerated().map { ($1, Int64($0) + 3) }
            return
        case .hashes(let number, _): version = number
        case .changing: version = 0
        }
        var last: UInt64 = 0
        self.items = items.map { (NameHash.of($0.name) >> Listing.unusedHashBits, $0) }
            .sorted { $0.0 < $1.0 }
            .map { hash, item in
                // Two names of one hash still have a place each.
                last = max(hash, last + 1)
                return (item, Int64(last << Listing.versionBits | UInt64(version)))
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

    /// Whether the kernel may keep what is given of it to a reader at `position`: the reader began in it, and of what has
    /// changed since the kernel knows.
    ///
    /// - Parameter order: the directory's at present.
    func mayBeKept(for position: Int64, _ order: ListingOrder) -> Bool {
        switch (self.order, order) {
        case (.constant, _): true
        case (.hashes(let version, let replacements), .hashes(_, let present)):
            replacements == present && (position <= 2 || UInt16(truncatingIfNeeded: position) == version)
        default: false
        }
    }
}

/// Listings that are being read, by directory. A reader goes on in the one that there is, or in a new one: positions
/// mean the same in all of a directory.
final class Listings: Sendable {
    private struct State {
        var byDirectory: [NodeID: (listing: Listing, lastUse: ContinuousClock.Instant)] = [:]
        var itemCount = 0

        mutating func remove(_ id: NodeID) {
            if let known = byDirectory.removeValue(forKey: id) { itemCount -= known.listing.items.count }
        }

        mutating func use(_ id: NodeID, _ now: ContinuousClock.Instant) -> Listing? {
            byDirectory[id]?.lastUse = now
            return byDirectory[id]?.listing
        }

        /// Lets go of what nobody goes on with: readers may stop before the end.
        mutating func makeRoom(for count: Int, _ now: ContinuousClock.Instant) {
            while byDirectory.count >= Listings.countMax || itemCount + count > Listings.itemCountMax {
                guard let oldest = byDirectory.min(by: { $0.value.lastUse < $1.value.lastUse }),
                    now - oldest.value.lastUse > Listings.timeMin
                else { return }
                remove(oldest.key)
            }
        }
    }

    private let state = Lock(State())
    private static let countMax = 64
    private static let itemCountMax = 262_144
    /// For so long one is kept in any case: to take a large one again for each answer would take for ever.
    private static let timeMin = Duration.seconds(2)

    /// What to list of `directory` behind `position`; the newest state for a reader who begins.
    func listing(of directory: Node, behind position: Int64) throws(VFSError) -> Listing {
        let now = ContinuousClock.now
        if position > 0, let known = state.withLock({ $0.use(directory.id, now) }) { return known }
        // Before the names, so that it is never newer than they are.
        let order = directory.listingOrder
        let listing = Listing(try directory.list(), order)
        let present = directory.listingOrder
        return state.withLock { state in
            // One that another thread has taken later is not to be followed by an older one.
            if order != present, let other = state.byDirectory[directory.id]?.listing, other.order == present
            {
                return other
            }
            state.remove(directory.id)
            state.makeRoom(for: listing.items.count, now)
            state.byDirectory[directory.id] = (listing, now)
            state.itemCount += listing.items.count
            return listing
        }
    }

    /// A reader of `directory` has been told that there is no more.
    func end(_ directory: Node) { state.withLock { $0.remove(directory.id) } }
}
