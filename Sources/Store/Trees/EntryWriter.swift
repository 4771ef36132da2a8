internal import Glibc
internal import Objects
internal import SystemPackage

/// Makes files from tree entries: in `tmp/` on the way to `upper/`, or in a directory that is exported to.
struct EntryWriter: Sendable {
    /// An ordinary user cannot give files away, nor set attributes of the system's name spaces: owners are then
    /// that user, and those attributes are left out.
    let isPrivileged = geteuid() == 0

    /// Makes what `entry` is, without bytes, and for the time being for its maker's eyes only.
    func make(_ entry: TreeEntry, at place: Place) throws(StoreError) {
        try system("make", place.display) { () throws(Errno) in
            switch (entry.kind, entry.content) {
            case (.directory, _): try Syscall.makeDirectory(at: place.fd, place.path, mode: 0o700)
            case (.symlink, .target(let target)):
                try Syscall.makeSymlink(at: place.fd, place.path, target: RawPath(target))
            case (.characterDevice, .device(let number)), (.blockDevice, .device(let number)):
                try Syscall.makeNode(
                    at: place.fd, place.path, mode: entry.kind.fileType | 0o600, device: dev_t(number))
            default:
                try Syscall.makeNode(
                    at: place.fd, place.path, mode: entry.kind.fileType | 0o600, device: 0)
            }
        }
    }

    /// Gives what is at `place` the attributes of `entry`. The times come last, since setting the others changes
    /// them; of a directory, after all that is in it.
    ///
    /// - Parameter mark: nil outside of a store, where flags are an attribute like others, for who imports them again:
    ///   what is exported must not resist whoever it is for.
    func dress(
        _ place: Place, as entry: TreeEntry, mark: UpperMark? = UpperMark.none,
        subject: @autoclosure () -> String
    ) throws(StoreError) {
        try system("set the attributes of", subject()) { () throws(Errno) in
            let place = try place.resolved()
            if isPrivileged {
                try Syscall.changeOwner(at: place.fd, place.path, uid: entry.uid, gid: entry.gid)
            }
            for attribute in entry.xattrs {
                let isFlags = attribute.name == ExtendedAttribute.flagsName
                if isFlags, mark != nil { continue }
                do throws(Errno) {
                    try Syscall.setAttribute(
                        at: place.fd, place.path, RawPath(attribute.name), attribute.value)
                } catch {
                    // A mount of another store does not take the flags so, nor does what has no attributes.
                    if isFlags, [.notPermitted, .notSupported].contains(error) { continue }
                    guard !isPrivileged, error == .notPermitted else { throw error }
                }
            }
            if var mark {
                mark.flags = entry.flags
                try set(mark, on: place, entry.kind)
            }
            if entry.kind != .symlink {
                try Syscall.changeMode(at: place.fd, place.path, mode_t(entry.mode))
            }
            try Syscall.changeTimes(
                at: place.fd, place.path, access: nil, modification: .at(entry.mtime))
        }
    }

    private func set(_ mark: UpperMark, on place: Place, _ kind: EntryKind) throws(Errno) {
        if mark == .none { return }
        if kind == .file || kind == .directory {
            try Syscall.setAttribute(at: place.fd, place.path, UpperMark.name, mark.encoded)
            if !mark.flags.isEmpty { BackingFlags.set(mark.flags, on: place) }
        } else if isPrivileged {
            do throws(Errno) {
                try Syscall.setAttribute(at: place.fd, place.path, UpperMark.trustedName, mark.encoded)
            } catch {
                // The root of a container may not be root enough.
                guard error == .notPermitted else { throw error }
            }
        }
    }
}
