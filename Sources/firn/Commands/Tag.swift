import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Tag: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "tag",
            abstract: "Put a tag on a version, take tags off, or list them.",
            discussion: """
                A tag has 1 to 128 of the characters A-Z a-z 0-9 . _ + = @ - and begins with a letter, a digit \
                or _. It cannot be a version number (42, v42), 'latest' or 'by-date', nor hold '..'. A tag \
                stays where it is unless --force moves it, and a version with a tag is not forgotten.

                EXAMPLES:
                  firn tag
                  firn tag best v42
                  firn tag best latest --force
                  firn tag -d nightly-2026-11-20
                """)

        @Argument(help: "The tag; with --delete any number of them.")
        var names: [String] = []

        @Flag(name: [.customShort("d"), .long], help: "Take the tags off.")
        var delete = false

        @Flag(name: .shortAndLong, help: "Move the tag if it stands on another version.")
        var force = false

        @OptionGroup var common: StoreOptions

        func validate() throws {
            if delete {
                if names.isEmpty { throw ValidationError("--delete needs a tag") }
                if force { throw ValidationError("--delete and --force exclude each other") }
            } else if names.count > 2 {
                throw ValidationError("a tag goes on one version: firn tag NAME [VERSION]")
            } else if names.isEmpty, force {
                throw ValidationError("--force needs a tag")
            }
        }

        func run() throws {
            if delete { return try remove() }
            guard let name = names.first else { return try list() }
            let version = names.dropFirst().first ?? "latest"
            let outcome = try common.perform(.tag(name: name, version: version, moves: force))
            try common.print(outcome) { output in
                let target = outcome["version"].string ?? ""
                let previous = outcome["previous"].string.flatMap { $0 == target ? nil : " (was \($0))" }
                try output.line("\(name) -> \(target)\(previous ?? "")")
            }
        }

        private func remove() throws {
            let outcome = try common.perform(.untag(names: names))
            try common.print(outcome) { output in
                for tag in outcome["removed"].elements {
                    try output.line(
                        "Took \(tag["tag"].string ?? "") off \(tag["version"].string ?? "its version")")
                }
            }
        }

        private func list() throws {
            let store = try common.openForReading()
            let tags = try store.tags().sorted { ($0.value, $0.key) < ($1.value, $1.key) }
            let document = JSONValue.array(
                tags.map { ["tag": .string($0.key), "version": .string($0.value.description)] })
            try common.print(document) { output in
                var table = Table(alignments: [.left, .left])
                for (name, version) in tags { table.add([name, version.description]) }
                for line in table.lines { try output.line(line) }
            }
        }
    }
}
