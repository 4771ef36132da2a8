public import Objects

/// The numbers that `stat` shows, and how they come about: see `docs/ARCHITECTURE.md`, "Inode numbers".
///
/// A number has 61 or 62 bits that are as good as random, so the chance that any two of a million files have the
/// same one is below 1 in four million. Bit 62 tells what can never change from what is staged.
public enum InodeNumber {
    // MARK: Below versions/, and directories Firn makes up: the same for ever, in every mount of every store.

    public static let root = hash(1) >> 2 | sealedBit
    public static let staging = hash(2) >> 2 | sealedBit
    public static let versions = hash(3) >> 2 | sealedBit
    public static let control = hash(4) >> 2 | sealedBit

    /// The top directory of a version.
    public static func version(_ number: VersionNumber) -> UInt64 {
        hash(UInt64(bitPattern: number.value) << 8 | 7) >> 2 | sealedBit
    }

    /// The child `name` of the directory with number `parent`.
    public static func sealed(_ name: FileName, in parent: UInt64) -> UInt64 {
        hash(name, parent) >> 2 | sealedBit
    }

    // MARK: In staging

    /// What is the first ever to have the name `name` in the directory with number `parent`.
    public static func first(_ name: FileName, in parent: UInt64) -> UInt64 {
        hash(name, parent) >> 3 | stagedBit
    }

    /// A number for anything else; to be noted with it.
    public static func random() -> UInt64 { UInt64.random(in: 0...UInt64.max) >> 3 | stagedBit }

    /// For what cannot carry a mark: from the backing file's own number. With the workspace's generation, because
    /// a seal frees backing files, whose numbers the filesystem gives to others.
    static func backed(by inode: UInt64, generation: UInt64) -> UInt64 {
        hash(inode &+ generation &* 0x9e37_79b9_7f4a_7c15) >> 3 | stagedBit
    }

    // MARK: Bits

    // Not bit 63: there are programs that take a number for a signed one.
    private static let sealedBit: UInt64 = 1 << 62
    private static let stagedBit: UInt64 = 1 << 61

    private static func hash(_ name: FileName, _ parent: UInt64) -> UInt64 {
        hash(NameHash.of(name) ^ (parent &* 0x9e37_79b9_7f4a_7c15))
    }

    private static func hash(_ value: UInt64) -> UInt64 {
        var hash = value
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
        return hash ^ hash >> 33
    }
}
