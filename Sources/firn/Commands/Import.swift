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
            abstract: "Copy a directory or a tar archive into staging and commit it.",
            discussion: """
                What the directory or the archive holds takes the place of all of staging, or of the path given \
                with --to; so importing a directory again makes a version with exactly what it holds now. Modes, \
                owners, times, links, holes and extended attributes come along. An import that fails changes \
                nothing.

                An archive may be plain or compressed with gzip or zstd; - is standard input. It is refused as a \
                whole when an entry would reach outside of it: by an absolute name, by '..', or through a link.

                Other changes that are staged would get into the same version, so the command refuses when \
                there are any, unless --force or --no-commit is given.

                EXAMPLES:
                  firn import ~/dataset --to data -m "the dataset" -t data-1
                  firn import ~/run42 --param lr=3e-4
                  firn import ~/dataset --to data --no-commit
                  firn import dataset.tar.gz --to data
                  firn import - --to data
                """)

        @Argument(help: "The directory or archive, or -.", completion: .file())
        var source: PathArgument

        @Option(help: ArgumentHelp("Where in staging (default: all of it).", valueName: "path"))
        var to: PathArgument?

        @Flag(help: "Leave it staged.")
        var noCommit = false

        @OptionGroup var options: CommitOptions

        @Flag(help: "Replace staged changes that are in the way, commit others with it, and move tags.")
        var force = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            var request = ImportRequest(source: source.bytes, isForced: force, commit: nil)
            let archive = try openArchive()
            request.isArchive = archive != nil
            if archive == nil { request.source = try absolute(source) }
            if let to { request.target = try to.treePath() }
            if !noCommit {
                var commit = try options.request(allowsEmpty: false, movesTags: force)
                if options.message == nil {
                    commit.message = "Import \(isStream ? "an archive" : source.text)"
                }
                request.commit = commit
            }
            let outcome: JSONValue
            do {
                outcome = try common.perform(.importTree(request), input: archive)
            } catch let error as StoreError where error.code == .nothingToCommit {
                throw StoreError(
                    error.code, "it holds nothing that is new, so no version was made", subject: source.text)
            }
            if !outcome["commit"].isNull { CommitSummary.warn(outcome["commit"]) }
            try common.print(outcome) { output in
                let imported = outcome["imported"]
                try output.line(
                    "Imported \(Quantity.count(imported["files"].integer ?? 0, "file")), "
                        + Quantity.bytes(imported["bytes"].integer ?? 0))
                if !outcome["commit"].isNull { try CommitSummary.print(outcome["commit"], output) }
            }
        }

        private var isStream: Bool { source.text == "-" }

        /// nil for a directory. The archive is opened here, with this user's rights.
        private func openArchive() throws -> Descriptor? {
            if isStream {
                guard isatty(STDIN_FILENO) == 0 else {
                    throw UsageError(
                        "a tar archive does not come from a terminal", hint: "pipe it, or name a file")
                }
                return Descriptor(dup(STDIN_FILENO))
            }
            do throws(Errno) {
                let file = try Syscall.open(at: AT_FDCWD, RawPath(source.bytes), O_RDONLY | O_NOCTTY)
                return try Syscall.stat(file.fd).st_mode & S_IFMT == S_IFDIR ? nil : file
            } catch { throw StoreError(error, doing: "open", subject: source.text) }
        }

        /// The daemon has another working directory.
        private func absolute(_ path: PathArgument) throws(StoreError) -> [UInt8] {
            do throws(Errno) { return try RealPath.of(path.bytes) } catch {
                throw StoreError(error, doing: "look at the directory", subject: path.text)
            }
        }
    }
}
