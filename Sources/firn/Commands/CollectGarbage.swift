import ArgumentParser
import Control

extension Firn {
    struct CollectGarbage: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gc",
            abstract: "Free the space that no version needs.",
            discussion: """
                Removes objects and tree nodes that neither a version nor staging refers to: what forgotten \
                versions alone had, and what interrupted commits left. Programs go on reading and writing \
                meanwhile.

                EXAMPLES:
                  firn gc --dry-run
                  firn gc
                """)

        @Flag(name: [.customShort("n"), .long], help: "Show what would be freed.")
        var dryRun = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let outcome = try common.perform(.gc(isDryRun: dryRun))
            try common.print(outcome) { try $0.line(CollectGarbage.summary(outcome)) }
        }

        static func summary(_ outcome: JSONValue) -> String {
            let verb = outcome["dry_run"].bool == true ? "Would free" : "Freed"
            let objects = Quantity.count(outcome["removed_blobs"].integer ?? 0, "object")
            let kept = Quantity.count(outcome["kept_blobs"].integer ?? 0, "object")
            return
                "\(verb) \(Quantity.bytes(outcome["freed_bytes"].integer ?? 0)) in \(objects); kept \(kept)"
        }
    }
}
