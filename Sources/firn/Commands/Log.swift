import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Log: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "log",
            abstract: "List versions, the newest first.",
            discussion: """
                Times are in UTC. SIZE is what the version's files add up to, NEW what of it no earlier version \
                held.

                EXAMPLES:
                  firn log
                  firn log -n 5
                  firn log --run $RUN_ID --json
                """)

        @Option(
            name: [.customShort("n"), .long], help: ArgumentHelp("At most so many.", valueName: "number"))
        var count: Int?

        @Option(name: .customLong("run"), help: ArgumentHelp("Only versions of this run.", valueName: "id"))
        var runID: String?

        @Flag(help: "The oldest first.")
        var reverse = false

        @OptionGroup var common: StoreOptions

        func validate() throws {
            if let count, count < 0 { throw ValidationError("--count cannot be negative") }
        }

        func run() throws {
            let store = try common.openForReading()
            var versions = Array(try store.versions().reversed())
            if let runID { versions = versions.filter { $0.manifest.run == runID } }
            if let count { versions = Array(versions.prefix(count)) }
            if reverse { versions.reverse() }
            try common.print(.array(versions.map { JSONValue($0) })) { output in
                if versions.isEmpty { return try output.line("No versions.") }
                for line in Log.table(versions).lines { try output.line(line) }
            }
        }

        private static func table(_ versions: [Version]) -> Table {
            var table = Table([
                ("VERSION", .left), ("TIME", .left), ("FILES", .right), ("SIZE", .right), ("NEW", .right),
                ("TAGS", .left), ("MESSAGE", .left),
            ])
            for version in versions {
                let marks = version.tags + (version.isPinned ? ["(pinned)"] : [])
                table.add([
                    version.number.description, CivilDate(version.manifest.time).timeText,
                    String(version.files), Quantity.bytes(version.bytes), Quantity.bytes(version.newBytes),
                    marks.joined(separator: " "), Printable.firstLine(version.manifest.message),
                ])
            }
            return table
        }
    }
}
