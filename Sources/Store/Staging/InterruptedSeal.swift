internal import Glibc
internal import Objects
internal import SystemPackage

// What a seal leaves that was cut short before its commit: names in `objects/` of files that are still staged. Such a
// file would count one link too many, and whoever writes to it would write to an object.
extension Workspace {
    /// Whether a seal of the workspace that has `mark` had begun to give names in `objects/` when its process ended.
    /// See ``Sealing``. Other changes that exchange `upper/` make a `next/` of the same generation.
    static func wasSealing(_ mark: WorkspaceMark, in directory: Descriptor) throws(StoreError) -> Bool {
        let next = Place(directory: directory, path: nextName)
        let found = try system("look at", "next/") { () throws(Errno) -> [UInt8]? in
            guard try Syscall.statIfPresent(at: next.fd, next.path) != nil else { return nil }
            return try next.whateverMode { () throws(Errno) in
                try Syscall.attribute(at: next.fd, next.path, WorkspaceMark.name)
            }
        }
        // One that cannot be read may be a seal's.
        return found.map { (try? WorkspaceMark(decoding: $0))?.generation != mark.generation } ?? false
    }

    /// Takes those names away again. The cost follows what is staged, and where such names may be, the number of
    /// objects, none of which is opened.
    ///
    /// - Parameter isKnown: whether a version refers to a blob.
    static func withdrawLinks(
        below upper: Descriptor, from blobs: BlobStore, isKnown: (Digest) throws(StoreError) -> Bool
    ) throws(StoreError) {
        let linked = try filesWithSeveralNames(below: upper)
        if linked.isEmpty { return }
        for digest in try blobs.digests(ofFilesWith: linked) where try !isKnown(digest) {
            _ = try blobs.remove(digest)
        }
    }

    private static func filesWithSeveralNames(below upper: Descriptor) throws(StoreError) -> Set<UInt64> {
        var found: Set<UInt64> = []
        var pending = [Place(directory: upper, path: .here)]
        while let directory = pending.popLast() {
            do throws(StoreError) { try look(into: directory, &pending, &found) } catch {
                // An ordinary user's own directory may deny that. The seal was denied it as well, and gave no names.
                if error.errno != .permissionDenied { throw error }
            }
        }
        return found
    }

    private static func look(
        into directory: Place, _ pending: inout [Place], _ found: inout Set<UInt64>
    ) throws(StoreError) {
        let entries = try system("list", directory.display) { () throws(Errno) in
            try Syscall.entries(at: directory.fd, directory.path)
        }
        // Of every kind: what took a file's place at that moment may have got the name.
        for entry in entries {
            let place = try directory.child(entry.name)
            if entry.kind == .directory {
                pending.append(place)
                continue
            }
            let status = try system("look at", place.display) { () throws(Errno) in
                try Syscall.stat(at: place.fd, place.path)
            }
            if status.st_nlink > 1 { found.insert(UInt64(status.st_ino)) }
        }
    }
}
