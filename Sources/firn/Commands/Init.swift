import ArgumentParser
import Control
import Foundation
import Store

extension Firn {
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init",
            abstract: "Make a store.",
            discussion: """
                The directory is made; one that exists must be empty. It should lie on ext4, XFS or btrfs, with \
                room for every version: sealed files live there, each distinct content once.

                EXAMPLES:
                  firn init ~/store
                  firn init /srv/firn && firn mount /srv/firn /mnt/firn --allow-other
                """)

        @Argument(help: "The directory to be the store.", completion: .directory)
        var store: String

        @Flag(help: "Print a JSON document instead of text.")
        var json = false

        func run() throws {
            try requireOutside()
            try Store.create(at: store, now: Store.clock())
            let made = try Store.open(at: store, .reading)
            let document: JSONValue = [
                "store": .string(made.path), "store_id": .string(made.format.id),
                "format": .integer(made.format.format), "created": .string(made.format.created),
            ]
            try made.close()
            let output = StandardOutput()
            try output.line(json ? document.indented : "Made a store in \(Printable.text(made.path))")
            try output.flush()
        }

        private func requireOutside() throws(StoreError) {
            // The directory itself need not be there yet.
            let above = URL(fileURLWithPath: store).deletingLastPathComponent().path
            guard let mount = try StoreLocation.enclosingMount(of: above) else { return }
            throw StoreError(
                .invalidInput, "a store cannot lie in the mount of one", subject: store,
                hint: "choose a directory outside; this is the mount of \(mount.path)")
        }
    }
}
