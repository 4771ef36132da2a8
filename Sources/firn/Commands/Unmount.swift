import ArgumentParser
import Control
import Glibc
import Store

extension Firn {
    struct Unmount: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unmount",
            abstract: "Unmount a store.",
            discussion: """
                The command ends when everything that was written is safe on disk and the daemon has gone. A \
                mount that is in use is left alone, and the processes that use it are named.

                EXAMPLES:
                  firn unmount ~/firn
                  firn unmount /srv/firn
                  firn unmount ~/firn --lazy
                """,
            aliases: ["umount"])

        @Argument(
            help: "The mount, or its store (default: as for other commands).", completion: .directory)
        var place: String?

        @Flag(help: "Detach the mount at once; it ends when nothing uses it any more.")
        var lazy = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let mount = try find()
            let mountpoint = String(decoding: mount.mountpoint, as: UTF8.self)
            let store = String(decoding: mount.source, as: UTF8.self)
            if lazy || Mountpoint.isDead(mountpoint) {
                try Mountpoint.detach(mountpoint)
            } else {
                try end(mountpoint, store)
            }
            let document: JSONValue = [
                "mountpoint": .string(mountpoint), "store": .string(store), "lazy": .bool(lazy),
            ]
            try common.print(document) { try $0.line("Unmounted \(Printable.text(mountpoint))") }
        }

        /// The mount that was meant, as the mount table has it.
        private func find() throws -> MountTable.Entry {
            let table = try MountTable.read()
            if let place, let real = try? RealPath.of(Array(place.utf8)), let mount = table.mount(at: real) {
                guard mount.isFirn else {
                    throw StoreError(
                        .invalidInput, "what is mounted here is not a store but \(mount.type)", subject: place
                    )
                }
                return mount
            }
            let location = try place.map { try StoreLocation.find(named: $0) } ?? common.location()
            let store = (try? RealPath.of(Array(location.path.utf8))) ?? Array(location.path.utf8)
            guard let mount = table.mounts(of: store).last else {
                throw StoreError(
                    .invalidInput, "nothing is mounted here", subject: place ?? location.path,
                    hint: "findmnt -t fuse.firn lists the mounts there are")
            }
            return mount
        }

        private func end(_ mountpoint: String, _ store: String) throws(StoreError) {
            let owner = StoreOwnership.owner(store)
            let processes = try StoreOwnership.isOwned(store) ? owner.map(MountProcesses.init) : nil
            do throws(StoreError) {
                if try ControlClient.perform(.unmount, at: store) == nil {
                    // A mount that answers without a daemon that listens: it starts, or it ends.
                    try Unmounting.begin(mountpoint)
                }
            } catch {
                throw error.code == .busy ? Unmount.busy(mountpoint, error) : error
            }
            try waitForEnd(of: owner, store)
            guard processes?.waitForEnd() == false else { return }
            throw StoreError(
                .busy, "unmounted, and all is safe, but the daemon has not ended yet", subject: store,
                hint: "its disk can be unmounted once it has")
        }

        /// Everything is safe when the owner has let go of the store.
        private func waitForEnd(of owner: Int32?, _ store: String) throws(StoreError) {
            while try StoreOwnership.isOwned(store), StoreOwnership.owner(store) == owner { usleep(5_000) }
        }

        private static func busy(_ mountpoint: String, _ error: StoreError) -> StoreError {
            let users = BusyProcesses.find(below: mountpoint)
            if users.isEmpty { return error }
            let list = users.map { "\($0.command) (\($0.pid): \($0.use))" }.joined(separator: ", ")
            return StoreError(
                .busy, "the mount is in use by \(list)", subject: mountpoint,
                hint: "end them, or let go with --lazy, which ends the mount when they are done")
        }
    }
}
