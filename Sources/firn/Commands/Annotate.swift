import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Annotate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "annotate",
            abstract: "Add notes to a version, or list them.",
            discussion: """
                Notes are kept apart from what the version's digest covers, each with its author and time. They \
                are never changed: a later note of the same key stands beside the earlier.

                EXAMPLES:
                  firn annotate baseline reviewed=yes reviewer=ada
                  firn annotate baseline
                """)

        @Argument(help: "The version.")
        var version: String

        @Argument(help: ArgumentHelp("The notes.", valueName: "key=value"))
        var notes: [CommitOptions.Pair] = []

        @Option(help: "Who says so (default: you, as user@host).")
        var author: String?

        @OptionGroup var common: StoreOptions

        func run() throws {
            if notes.isEmpty { return try list() }
            let outcome = try common.perform(
                .annotate(
                    version: version, notes: notes.map { .init(key: $0.key, value: $0.value) },
                    author: author ?? ""))
            try common.print(outcome) { output in
                try output.line(
                    "Added \(Quantity.count(notes.count, "note")) to \(outcome["version"].string ?? version)")
            }
        }

        private func list() throws {
            let store = try common.openForReading()
            let annotations = try store.annotations(of: try store.resolve(version).number)
            try common.print(.annotations(annotations)) { output in
                var table = Table(alignments: [.left, .left, .left, .left])
                for note in annotations {
                    table.add([
                        CivilDate(note.time).timeText, Printable.text(note.author), Printable.text(note.key),
                        Printable.text(note.value),
                    ])
                }
                for line in table.lines { try output.line(line) }
            }
        }
    }
}
