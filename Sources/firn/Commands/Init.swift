import ArgumentParser
import Control
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
    }
}
