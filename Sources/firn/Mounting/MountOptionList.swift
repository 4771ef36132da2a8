import Control
import Store

/// What `-o` says, as mount(8) and /etc/fstab write it: words with commas between them.
struct MountOptionList: Hashable {
    private(set) var allowsOther = false
    private(set) var isReadOnly = false
    private(set) var isDebugging = false
    private(set) var isSupervised = true
    /// nil where nothing is said.
    private(set) var passthrough: PassthroughChoice?

    /// Meant for mount(8), systemd or the kernel, or what Firn does anyway.
    private static let ignored: Set<String> = [
        "", "rw", "defaults", "auto", "noauto", "nofail", "user", "nouser", "users", "owner", "group",
        "_netdev",
        "exec", "noexec", "suid", "nosuid", "dev", "nodev", "sync", "async", "atime", "noatime", "relatime",
        "norelatime", "strictatime", "lazytime", "nolazytime", "diratime", "nodiratime", "silent", "loud",
        "default_permissions",
    ]

    private static let ignoredPrefixes = ["x-", "X-", "comment=", "fsname=", "subtype="]
    private static let passthroughPrefix = "passthrough="

    private static func passthrough(_ option: String) throws(StoreError) -> PassthroughChoice {
        guard let choice = PassthroughChoice(rawValue: String(option.dropFirst(passthroughPrefix.count)))
        else {
            throw StoreError(
                .invalidInput, "that is no choice", subject: option,
                hint: "there are passthrough=on, passthrough=off and passthrough=auto")
        }
        return choice
    }

    /// - Parameter isSloppy: whether options that mean nothing here are passed over, as `mount -s` asks.
    /// - Throws: ``StoreError`` `.invalidInput`, naming the option.
    init(_ text: String, isSloppy: Bool) throws(StoreError) {
        for option in text.split(separator: ",").map({ String($0) }) {
            switch option {
            case "allow_other": allowsOther = true
            case "ro": isReadOnly = true
            case "rw": isReadOnly = false
            case "debug": isDebugging = true
            case "supervise": isSupervised = true
            case "nosupervise": isSupervised = false
            case _ where option.hasPrefix(MountOptionList.passthroughPrefix):
                passthrough = try MountOptionList.passthrough(option)
            case _ where MountOptionList.ignored.contains(option): break
            case _ where MountOptionList.ignoredPrefixes.contains(where: { option.hasPrefix($0) }): break
            default:
                if isSloppy { continue }
                throw StoreError(
                    .invalidInput, "there is no such mount option", subject: option,
                    hint: "there are ro, rw, allow_other, nosupervise, passthrough=on, off or auto, and debug"
                )
            }
        }
    }
}
