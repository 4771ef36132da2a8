internal import Glibc
internal import Objects
internal import SystemPackage

/// `rm -rf`, without following a symlink and without trusting a mode.
package enum RemoveTree {
    /// Does nothing where there is no such name.
    package static func remove(_ path: RawPath, at directory: Descriptor) throws(StoreError) {
        // By place, so that a deep tree costs a descriptor only where a path becomes too long for one call, and not
        // by recursion.
        var levels: [Level] = []
        try remove(Place(directory: directory, path: path), &levels)
        while let last = levels.indices.last {
            if let name = levels[last].names.popLast() {
                try remove(try levels[last].place.child(name), &levels)
            } else {
                let place = levels.removeLast().place
                try system("remove", place.display) { () throws(Errno) in
                    try Syscall.removeDirectory(at: place.fd, place.path)
                }
            }
        }
    }

    /// A directory on the way to what is removed.
    private struct Level {
        let place: Place
        var names: [FileName]
    }

    /// Removes what is no directory, and adds a level for what is.
    private static func remove(_ place: Place, _ levels: inout [Level]) throws(StoreError) {
        let isDirectory = try system("remove", place.display) { () throws(Errno) in
            do throws(Errno) { try Syscall.unlink(at: place.fd, place.path) } catch {
                switch error {
                case .noSuchFileOrDirectory: return false
                case .isDirectory, .notPermitted: return true
                default: throw error
                }
            }
            return false
        }
        guard isDirectory else { return }
        let names = try system("list", place.display) { () throws(Errno) in try RemoveTree.list(place) }
        levels.append(Level(place: place, names: names))
    }

    private static func list(_ place: Place) throws(Errno) -> [FileName] {
        // An ordinary user's own directory may deny even its owner.
        if try Syscall.stat(at: place.fd, place.path).st_mode & 0o700 != 0o700 {
            try Syscall.changeMode(at: place.fd, place.path, 0o700)
        }
        return try Syscall.names(at: place.fd, place.path)
    }
}
