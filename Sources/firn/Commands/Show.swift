import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show everything that is known of a version.",
            discussion: """
                The digest covers the files, the parent's digest, time, author, message, run and metadata. Tags, \
                the pin and annotations were given later and may change.

                EXAMPLES:
                  firn show
                  firn show baseline
                  firn show v42 --json
                """)

        @Argument(help: "The version.")
        var version = "latest"

        @OptionGroup var common: StoreOptions

        func run() throws {
            let store = try common.openForReading()
            let version = try store.resolve(version)
            let annotations = try store.annotations(of: version.number)
            let document = JSONValue(version).appending(["annotations": .annotations(annotations)])
            try common.print(document) { try Show.print(version, annotations, store, $0) }
        }

        private static func print(
            _ version: Version, _ annotations: [Annotation], _ store: Store, _ output: StandardOutput
        ) throws {
            let manifest = version.manifest
            var table = Table(alignments: [.left, .left])
            table.add(["version", version.number.description])
            table.add(["digest", version.digest.hex])
            if let parent = manifest.parent {
                let number = try store.version(parent)?.number.description ?? "forgotten"
                table.add(["parent", "\(number) (\(parent.short))"])
            }
            table.add(["time", CivilDate(manifest.time).timeText])
            table.add(["author", Printable.text(manifest.author)])
            if let run = manifest.run { table.add(["run", Printable.text(run)]) }
            if !version.tags.isEmpty { table.add(["tags", version.tags.joined(separator: " ")]) }
            if version.isPinned { table.add(["pinned", "yes"]) }
            table.add(["files", "\(version.files), \(Quantity.bytes(version.bytes))"])
            let blobs = Quantity.count(version.newBlobs, "blob")
            table.add(["new", "\(Quantity.bytes(version.newBytes)) in \(blobs)"])
            for line in table.lines { try output.line(line) }
            try section(
                "message", manifest.message.split(separator: "\n").map { Printable.text(String($0)) }, output)
            try pairs("params", manifest.metadata.params, output)
            try pairs("metrics", manifest.metadata.metrics.mapValues { JSONValue.decimal($0).line }, output)
            try pairs("meta", manifest.metadata.meta, output)
            let notes = annotations.map {
                Printable.text("\($0.key) = \($0.value)  (\($0.author), \(CivilDate($0.time).timeText))")
            }
            try section("annotations", notes, output)
            let open = manifest.openAtSeal.map {
                Printable.name($0.path.bytes) + ($0.isTorn ? "  (torn)" : "")
            }
            try section("open for writing when it was sealed", open, output)
        }

        private static func pairs(_ title: String, _ pairs: [String: String], _ output: StandardOutput) throws
        {
            var table = Table(alignments: [.left, .left])
            for (key, value) in pairs.sorted(by: { $0.key < $1.key }) {
                table.add([Printable.text(key), Printable.text(value)])
            }
            try section(title, table.lines, output)
        }

        private static func section(_ title: String, _ lines: [String], _ output: StandardOutput) throws {
            if lines.isEmpty { return }
            try output.line("\n\(title):")
            for line in lines { try output.line("    \(line)") }
        }
    }
}
