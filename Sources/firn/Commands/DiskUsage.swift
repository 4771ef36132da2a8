import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct DiskUsage: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "du",
            abstract: "Show how much a store or a version holds.",
            discussion: """
                Of a version, or a directory in it, each entry with the sum of the sizes below it, and the whole \
                last; sums are kept with the tree, so this is immediate. Without a version, what the store's \
                versions add up to and what they take: the same content is stored once.

                EXAMPLES:
                  firn du
                  firn du latest
                  firn du baseline:run --json
                """)

        @Argument(help: ArgumentHelp("The version, and a path in it.", valueName: "version[:path]"))
        var place: VersionPathArgument?

        @OptionGroup var common: StoreOptions

        func run() throws {
            let store = try common.openForReading()
            guard let place else { return try printTotals(try store.totals()) }
            let found = try SealedPath.find(place, in: store)
            let below = try found.entry.tree.map { tree throws(StoreError) in
                try store.trees.entries(in: tree).map { (found.path.appending($0.name), $0) }
            }
            let entries = (below ?? []) + [(found.path, found.entry)]
            let document = JSONValue.array(
                entries.map { path, entry in
                    .path(path).appending([
                        "kind": .string(entry.kind.text), "bytes": .integer(entry.size),
                        "files": .integer(entry.files),
                    ])
                })
            try common.print(document) { output in
                var table = Table([("SIZE", .right), ("FILES", .right), ("PATH", .left)])
                for (path, entry) in entries {
                    let name = path.isRoot ? "." : Printable.name(path.bytes)
                    table.add([
                        Quantity.bytes(entry.size), String(entry.files),
                        name + (entry.kind == .directory && !path.isRoot ? "/" : ""),
                    ])
                }
                for line in table.lines { try output.line(line) }
            }
        }

        private func printTotals(_ totals: StoreTotals) throws {
            try common.print(JSONValue(totals)) { output in
                var table = Table(alignments: [.right, .left])
                table.add([
                    Quantity.bytes(totals.logicalBytes),
                    "in the files of \(Quantity.count(totals.versions, "version"))",
                ])
                table.add([
                    Quantity.bytes(totals.blobBytes),
                    "stored, in \(Quantity.count(totals.blobs, "object"))",
                ])
                if totals.logicalBytes > totals.blobBytes, totals.blobBytes > 0 {
                    let factor = Double(totals.logicalBytes) / Double(totals.blobBytes)
                    table.add([Quantity.decimal(factor, digits: 1) + " x", "saved by storing nothing twice"])
                }
                for line in table.lines { try output.line(line) }
            }
        }
    }
}
