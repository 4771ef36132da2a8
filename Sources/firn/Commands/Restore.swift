import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Restore: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "restore",
            abstract: "Bring what a version holds back into staging.",
            discussion: """
                Each path becomes in staging what it is in the version; without paths everything does. No bytes \
                are copied, so it takes no time. The next commit seals it. Staged changes in the way are kept \
                safe: the command refuses, unless --force is given.

                EXAMPLES:
                  firn restore baseline run/config.json
                  firn restore latest~2
                  firn restore v41 data --force
                """)

        @Argument(help: "The version.")
        var version: String

        @Argument(help: "Paths in the version; everything, if none is given.")
        var paths: [PathArgument] = []

        @Flag(help: "Lose staged changes that are in the way.")
        var force = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let paths = try paths.map { try $0.treePath() }
            let outcome = try common.perform(.restore(version: version, paths: paths, isForced: force))
            try common.print(outcome) { output in
                let name = outcome["version"].string ?? version
                if paths.isEmpty { return try output.line("Staging is as \(name) now") }
                for path in paths {
                    try output.line("Restored \(Printable.name(path.bytes)) from \(name)")
                }
            }
        }
    }
}
