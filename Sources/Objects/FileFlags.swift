/// What `chattr` sets on a file or directory, by the numbers that the system has for it.
/// See: `man 1 chattr`, `man 2 ioctl_iflags`.
public struct FileFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// `S`: what is written is on the disk before the call returns.
    public static let synchronous = FileFlags(rawValue: 0x8)
    /// `i`: nothing of it changes, and it keeps its names.
    public static let immutable = FileFlags(rawValue: 0x10)
    /// `a`: bytes, or names in a directory, are only added.
    public static let appendOnly = FileFlags(rawValue: 0x20)
    /// `d`: for who makes backups.
    public static let noDump = FileFlags(rawValue: 0x40)
    /// `A`: reads do not change its time of last access.
    public static let noAccessTime = FileFlags(rawValue: 0x80)
    /// `D`: as `S`, of a directory's names.
    public static let synchronousNames = FileFlags(rawValue: 0x10000)

    /// Those that ask for root, since they bind even the owner.
    public static let binding: FileFlags = [.immutable, .appendOnly]
    /// Those that `struct fsxattr` has as well.
    public static let inExtendedForm: FileFlags = [
        .synchronous, .immutable, .appendOnly, .noDump, .noAccessTime,
    ]
    /// Those that what is made in a directory gets from it.
    public static let inherited: FileFlags = [.synchronous, .noDump, .noAccessTime, .synchronousNames]

    /// All that something of this kind can have.
    public static func all(of kind: EntryKind) -> FileFlags {
        switch kind {
        case .directory: inExtendedForm.union(.synchronousNames)
        case .file: inExtendedForm
        case .symlink, .fifo, .socket, .characterDevice, .blockDevice: []
        }
    }

    /// Their letters, as `lsattr` shows them.
    public var letters: String {
        let all: [(FileFlags, String)] = [
            (.synchronous, "S"), (.synchronousNames, "D"), (.immutable, "i"), (.appendOnly, "a"),
            (.noDump, "d"), (.noAccessTime, "A"),
        ]
        return all.filter { contains($0.0) }.map(\.1).joined()
    }
}

extension ExtendedAttribute {
    /// Stands for the flags of an entry, which have no field of their own. No other name that begins with `user.firn`
    /// is sealed.
    public static let flagsName = Array("user.firn.flags".utf8)

    public init(_ flags: FileFlags) {
        var writer = CBORWriter()
        writer.unsigned(UInt64(flags.rawValue))
        self.init(name: ExtendedAttribute.flagsName, value: writer.bytes)
    }
}

extension TreeEntry {
    /// What ``ExtendedAttribute/flagsName`` says. Bits that mean nothing here are left out, and so is a value that is
    /// none: it may come from an archive.
    public var flags: FileFlags {
        guard !xattrs.isEmpty,
            let value = xattrs.first(where: { $0.name == ExtendedAttribute.flagsName })?.value
        else { return [] }
        var reader = CBORReader(value)
        // One that is no number says nothing.
        guard let bits = try? reader.unsigned(as: UInt32.self) else { return [] }
        return FileFlags(rawValue: bits).intersection(.all(of: kind))
    }
}
