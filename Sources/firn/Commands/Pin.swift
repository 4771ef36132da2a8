import ArgumentParser
import Control

extension Firn {
    struct Pin: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pin",
            abstract: "Keep versions whatever the retention policy says.",
            discussion: """
                EXAMPLES:
                  firn pin baseline v42
                """)

        @Argument(help: "The versions.")
        var versions: [String]

        @OptionGroup var common: StoreOptions

        func run() throws {
            let outcome = try common.perform(.pin(versions: versions))
            try common.print(outcome) { output in
                for version in outcome["versions"].elements {
                    try output.line("Pinned \(version.string ?? "")")
                }
            }
        }
    }

    struct Unpin: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "unpin",
            abstract: "Let the retention policy decide about versions again.",
            discussion: """
                EXAMPLES:
                  firn unpin v42
                """)

        @Argument(help: "The versions.")
        var versions: [String]

        @OptionGroup var common: StoreOptions

        func run() throws {
            let outcome = try common.perform(.unpin(versions: versions))
            try common.print(outcome) { output in
                for version in outcome["versions"].elements {
                    try output.line("Unpinned \(version.string ?? "")")
                }
            }
        }
    }
}
