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
        let attributes = if let known = found.attributes { known } else { try sealedAttributes(place) }
        return TreeEntry(
            name: name, kind: kind, mode: UInt16(found.status.st_mode & 0o7777), uid: found.status.st_uid,
            gid: found.status.st_gid, size: size, mtime: Timestamp(found.status.st_mtim), content: content,
            xattrs: attributes
                + (found.mark.flags.isEmpty ? [] : [ExtendedAttribute(found.mark.flags)]))
    }

    private func sealedAttributes(_ place: Place) throws(StoreError) -> [ExtendedAttribute] {
        return try system("read the attributes of", place.display) { () throws(Errno) in
            let place = try place.resolved()
            let names = try Syscall.attributeNames(at: place.fd, place.path)
            return try ExtendedAttribute.sealed(names) { name throws(Errno) in
                try place.whateverMode { () throws(Errno) in
                    try Syscall.attribute(at: place.fd, place.path, name)
                }
            }
        }
    }
}

extension ExtendedAttribute {
    /// Those of a file's attributes that are sealed with it.
    ///
    /// - Parameter value: reads one; nil where it is gone.
    static func sealed(
        _ names: [[UInt8]], value: (RawPath) throws(Errno) -> [UInt8]?
    ) throws(Errno) -> [ExtendedAttribute] {
        var result: [ExtendedAttribute] = []
        for name in names where isSealed(name) {
            if let value = try value(RawPath(name)) {
                result.append(ExtendedAttribute(name: name, value: value))
            }
        }
        return result
    }

    /// Whether an attribute of this name is part of a file: not Firn's own notes, and not a label, which belongs
    /// to the machine.
    static func isSealed(_ name: [UInt8]) -> Bool {
        !UpperMark.isReserved(name) && name != Array("security.selinux".utf8)
    }
}
