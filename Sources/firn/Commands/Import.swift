import ArgumentParser
import Control
import Glibc
import Objects
import Store
import SystemPackage

extension Firn {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Copy a directory into staging and commit it.",
            discussion: """
                What the directory holds takes the place of all of staging, or of the path given with --to; so \
                importing a directory again makes a version with exactly what it holds now. Modes, owners, \
                times, links and extended attributes come along. An import that fails changes nothing.

                Other changes that are staged would get into the same version, so the command refuses when \
                there are any, unless --force or --no-commit is given.

                EXAMPLES:
                  firn import ~/dataset --to data -m "the dataset" -t data-1
                  firn import ~/run42 --param lr=3e-4
                  firn import ~/dataset --to data --no-commit
                """)

        @Argument(help: "The directory.", completion: .directory)
        var directory: PathArgument

        @Option(help: ArgumentHelp("Where in staging (default: all of it).", valueName: "path"))
        var to: PathArgument?

        @Flag(help: "Leave it staged.")
        var noCommit = false

        @OptionGroup var options: CommitOptions

        @Flag(help: "Replace staged changes that are in the way, commit others with it, and move tags.")
        var force = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            var request = ImportRequest(source: try absolute(directory), isForced: force, commit: nil)
            if let to { request.target = try to.treePath() }
            if !noCommit {
                var commit = try options.request(allowsEmpty: false, movesTags: force)
                if options.message == nil { commit.message = "Import \(directory.text)" }
                request.commit = commit
            }
            let outcome = try common.perform(.importTree(request))
            if !outcome["commit"].isNull { CommitSummary.warn(outcome["commit"]) }
            try common.print(outcome) { output in
                let imported = outcome["imported"]
                try output.line(
                    "Imported \(Quantity.count(imported["files"].integer ?? 0, "file")), "
                        + Quantity.bytes(imported["bytes"].integer ?? 0))
                if !outcome["commit"].isNull { try CommitSummary.print(outcome["commit"], output) }
            }
        }

        /// The daemon has another working directory.
        private func absolute(_ path: PathArgument) throws(StoreError) -> [UInt8] {
            do throws(Errno) { return try RealPath.of(path.bytes) } catch {
                throw StoreError(error, doing: "look at the directory", subject: path.text)
            }
        }
    }
}
