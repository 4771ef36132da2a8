internal import Glibc
internal import Objects
internal import SystemPackage

/// Files that programs have open and nobody has a name for, each under a number: `workspaces/NAME/unlinked/`.
///
/// They are there for a daemon that takes over from one that died, and of no use to anyone else.
public final class UnlinkedFiles: Sendable {
    private let workspace: Descriptor
    /// Made when the first file is kept.
    private let directory = Lock<Descriptor?>(nil)

    static let name = RawPath("unlinked")

    init(in workspace: Descriptor) {
        self.workspace = workspace
    }

    /// Gives an open file a name here.
    public func keep(_ file: Descriptor, as number: UInt64) throws(StoreError) {
        try system("keep an unlinked file in", UnlinkedFiles.name.display) { () throws(Errno) in
            let directory = try opened()
            try Syscall.link(file.fd, to: directory.fd, RawPath("\(number)"))
        }
    }

    /// nil where there is none of that number.
    public func open(_ number: UInt64) throws(StoreError) -> Descriptor? {
        try system("open an unlinked file in", UnlinkedFiles.name.display) { () throws(Errno) in
            let place = Place(directory: try opened(), path: RawPath("\(number)"))
            do throws(Errno) { return try Syscall.openAgain(place, writes: true) } catch {
                guard error == .noSuchFileOrDirectory else { throw error }
                return nil
            }
        }
    }

    /// What cannot be removed now is removed at the next start.
    public func discard(_ number: UInt64) {
        guard let directory = try? opened() else { return }
        try? Syscall.unlink(at: directory.fd, RawPath("\(number)"))
    }

    /// Removes all but these.
    public func discardAll(but numbers: Set<UInt64>) throws(StoreError) {
        let names = try system("list", UnlinkedFiles.name.display) { () throws(Errno) in
            let directory = try opened()
            return try Syscall.names(at: directory.fd, .here)
        }
        for name in names {
            if let number = UInt64(name.display), numbers.contains(number) { continue }
            let directory = try system("open", UnlinkedFiles.name.display) { () throws(Errno) in try opened()
            }
            try RemoveTree.remove(RawPath(name), at: directory)
        }
    }

    private func opened() throws(Errno) -> Descriptor {
        try directory.withLock { directory throws(Errno) in
            if let directory { return directory }
            do throws(Errno) {
                try Syscall.makeDirectory(at: workspace.fd, UnlinkedFiles.name, mode: 0o700)
            } catch {
                if error != .fileExists { throw error }
            }
            let made = try Syscall.open(
                at: workspace.fd, UnlinkedFiles.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            directory = made
            return made
        }
    }
}
