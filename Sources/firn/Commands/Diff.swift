import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "diff",
            abstract: "Show what differs between two versions.",
            discussion: """
                Each line begins with A (added), D (deleted), M (other content), T (other type of file) or P \
                (same content, other properties: mode, owner, time, flags or extended attributes). Only what differs \
                is looked at, so large versions that are nearly the same compare in no time.

                Without versions the latest is compared with the one before it, with one version that one with \
                the latest. The exit status is 0 whether or not there are differences.

                EXAMPLES:
                  firn diff
                  firn diff baseline tuned
                  firn diff baseline:run/config.json tuned:run/config.json
                  firn diff v41 v42 --name-only
                """)

        @Argument(help: ArgumentHelp("The older version, or a path in it.", valueName: "version[:path]"))
        var old: VersionPathArgument?

        @Argument(help: ArgumentHelp("The newer version, or a path in it.", valueName: "version[:path]"))
        var new: VersionPathArgument?

        @Flag(help: "Print the paths alone.")
        var nameOnly = false

        @Flag(help: "Print the sums alone.")
        var stat = false

        @OptionGroup var common: StoreOptions

        func validate() throws {
            if nameOnly, stat { throw ValidationError("--name-only and --stat exclude each other") }
        }

        func run() throws {
            let store = try common.openForReading()
            let left = try SealedPath.find(old ?? VersionPathArgument(version: "latest~1"), in: store)
            let right = try SealedPath.find(new ?? VersionPathArgument(version: "latest"), in: store)
            let start = left.entry.tree == nil ? TreePath(names: left.path.names.suffix(1)) : .root
            var sums = DifferenceSums()
            var changes: [JSONValue] = []
            let output = StandardOutput()
            try TreeDiff(store.trees).forEachDifference(
                from: left.entry, to: right.entry, at: start
            ) { difference throws(StoreError) in
                sums.add(difference)
                if common.json {
                    changes.append(difference.json)
                } else if nameOnly {
                    try output.line(name: difference.path.bytes)
                } else if !stat {
                    try output.line(difference.line)
                }
                return true
            }
            if common.json {
                let document: JSONValue = [
                    "old": .string(left.version.number.description),
                    "new": .string(right.version.number.description), "changes": .array(changes),
                    "summary": sums.json,
                ]
                try output.line(document.indented)
            } else if !nameOnly {
                for line in sums.lines { try output.line(line) }
            }
            try output.flush()
        }
    }
}

/// How much differs.
struct DifferenceSums {
    private var counts: [TreeDifference.Kind: Int] = [:]
    private var bytesAdded: UInt64 = 0
    private var bytesRemoved: UInt64 = 0

    private static let kinds: [(TreeDifference.Kind, String)] = [
        (.added, "added"), (.removed, "deleted"), (.changed, "changed"), (.type, "of another type"),
        (.attributes, "with other properties"),
    ]

    mutating func add(_ difference: TreeDifference) {
        counts[difference.kind, default: 0] += 1
        if difference.kind == .attributes { return }
        if let new = difference.new, new.kind != .directory { bytesAdded &+= new.size }
        if let old = difference.old, old.kind != .directory { bytesRemoved &+= old.size }
    }

    var lines: [String] {
        let parts = DifferenceSums.kinds.compactMap { kind, text in
            counts[kind].map { "\($0) \(text)" }
        }
        if parts.isEmpty { return ["No differences."] }
        return [
            parts.joined(separator: ", ")
                + "; \(Quantity.bytes(bytesRemoved)) before, \(Quantity.bytes(bytesAdded)) after"
        ]
    }

    var json: JSONValue {
        let counts = DifferenceSums.kinds.map { kind, _ in
            JSONValue.Member(kind.rawValue, .integer(self.counts[kind] ?? 0))
        }
        return JSONValue.object(counts).appending([
            "bytes_before": .integer(bytesRemoved), "bytes_after": .integer(bytesAdded),
        ])
    }
}
