internal import Glibc
internal import Objects
internal import SystemPackage

extension Overlay {
    /// The tree entry that what was found at `place` is, or will be once it is sealed, given what it holds.
    func entry(
        _ name: FileName, _ found: UpperEntry, at place: Place, _ content: Content, size: UInt64
    ) throws(StoreError) -> TreeEntry {
        guard let kind = EntryKind(mode: found.status.st_mode) else {
            throw StoreError(.damaged, "a file of unknown type", subject: place.display)
        }
        return TreeEntry(
            name: name, kind: kind, mode: UInt16(found.status.st_mode & 0o7777), uid: found.status.st_uid,
            gid: found.status.st_gid, size: size, mtime: Timestamp(found.status.st_mtim), content: content,
            xattrs: try sealedAttributes(place)
                + (found.mark.flags.isEmpty ? [] : [ExtendedAttribute(found.mark.flags)]))
    }

    private func sealedAttributes(_ place: Place) throws(StoreError) -> [ExtendedAttribute] {
        return try system("read the attributes of", place.display) { () throws(Errno) in
            let place = try place.resolved()
            var result: [ExtendedAttribute] = []
            for name in try Syscall.attributeNames(at: place.fd, place.path)
            where ExtendedAttribute.isSealed(name) {
                let value = try place.whateverMode { () throws(Errno) in
                    try Syscall.attribute(at: place.fd, place.path, RawPath(name))
                }
                if let value {
                    result.append(ExtendedAttribute(name: name, value: value))
                }
            }
            return result
        }
    }
}

extension ExtendedAttribute {
    /// Whether an attribute of this name is part of a file: not Firn's own notes, and not a label, which belongs
    /// to the machine.
    static func isSealed(_ name: [UInt8]) -> Bool {
        !UpperMark.isReserved(name) && name != Array("security.selinux".utf8)
    }
}
