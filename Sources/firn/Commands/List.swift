import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List what is in a version.",
            discussion: """
                This needs no mount. Times are in UTC, owners are numbers.

                EXAMPLES:
                  firn ls baseline
                  firn ls -l baseline:run/checkpoints
                  firn ls -R v42 --json
                """)

        @Argument(help: ArgumentHelp("The version, and a path in it.", valueName: "version[:path]"))
        var place: VersionPathArgument = .latest

        @Flag(name: .shortAndLong, help: "With mode, owner, size and time.")
        var long = false

        @Flag(name: [.customShort("R"), .long], help: "Everything below as well, as paths.")
        var recursive = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let store = try common.openForReading()
            let found = try SealedPath.find(place, in: store)
            var entries: [(path: TreePath, entry: TreeEntry)] = []
            if let tree = found.entry.tree {
                if recursive {
                    try store.trees.walk(tree) { path, entry in entries.append((path, entry)) }
                } else {
                    entries = try store.trees.entries(in: tree).map { (TreePath(names: [$0.name]), $0) }
                }
            } else {
                entries = [(TreePath(names: [found.entry.name]), found.entry)]
            }
            let document = JSONValue.array(
                entries.map { JSONValue.path($0.path).appending(JSONValue($0.entry)) })
            try common.print(document) { output in
                if long {
                    for line in List.table(entries).lines { try output.line(line) }
                } else {
                    for (path, _) in entries { try output.line(name: path.bytes) }
                }
            }
        }

        private static func table(_ entries: [(path: TreePath, entry: TreeEntry)]) -> Table {
            var table = Table(alignments: [.left, .right, .right, .right, .left, .left])
            for (path, entry) in entries {
                var name = Printable.name(path.bytes)
                if case .target(let target) = entry.content { name += " -> \(Printable.name(target))" }
                table.add([
                    symbolicMode(entry), String(entry.uid), String(entry.gid), Quantity.bytes(entry.size),
                    CivilDate(entry.mtime).timeText, name,
                ])
            }
            return table
        }

        /// `-rw-r--r--`, as `ls -l` has it.
        static func symbolicMode(_ entry: TreeEntry) -> String {
            let kinds: [EntryKind: String] = [
                .file: "-", .directory: "d", .symlink: "l", .fifo: "p", .socket: "s", .characterDevice: "c",
                .blockDevice: "b",
            ]
            var text = kinds[entry.kind] ?? "?"
            let specials: [(bit: UInt16, shift: UInt16, letter: String)] = [
                (0o4000, 6, "s"), (0o2000, 3, "s"), (0o1000, 0, "t"),
            ]
            for (special, shift, letter) in specials {
                let bits = entry.mode >> shift & 7
                text += bits & 4 != 0 ? "r" : "-"
                text += bits & 2 != 0 ? "w" : "-"
                let runs = bits & 1 != 0
                let isSpecial = entry.mode & special != 0
                text += isSpecial ? (runs ? letter : letter.uppercased()) : (runs ? "x" : "-")
            }
            return text
        }
    }
}
