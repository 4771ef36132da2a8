import ArgumentParser
import Control
import Glibc
import Objects
import Store

/// The `firn` program.
@main
struct Firn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "firn",
        abstract: "A versioned filesystem for machine-learning artifacts.",
        discussion: """
            Programs write to MOUNT/staging like to any directory. 'firn commit' seals what was written into a \
            version that never changes, and every version is a directory below MOUNT/versions.

            A command finds its store by --store, by the environment variable FIRN_STORE, or by standing \
            inside a mount.

            A version is called 'latest', by its number (42 or v42), by a tag, by the \
            beginning of its digest, or by a date (@2026-11-20, @2026-11-20T12:00:00Z, in UTC: the newest \
            version at its end); ~2 after any of these goes two versions back.

            EXIT STATUS:
              0  done
              1  refused or failed; standard error says why
              2  the command line makes no sense
              3  stored data is damaged
              4  busy: a commit is running, or the mount or a file is in use; try again later
              5  nothing has changed, so no version was made

            EXAMPLES:
              firn init ~/store
              firn mount ~/store ~/firn
              cd ~/firn && python train.py --out staging/run
              firn commit -m "first try" -t baseline --param lr=3e-4 --metric auc=0.93
              firn log
            """,
        version: Program.version,
        subcommands: [GenerateManual.self],
        groupedSubcommands: [
            CommandGroup(name: "Set up", subcommands: [Init.self, Mount.self, Unmount.self, Status.self]),
            CommandGroup(name: "Write", subcommands: [Commit.self, Abort.self, Import.self]),
            CommandGroup(
                name: "Read",
                subcommands: [
                    Log.self, Show.self, Diff.self, List.self, Cat.self, DiskUsage.self, Export.self,
                ]),
            CommandGroup(name: "Name", subcommands: [Tag.self, Annotate.self, Pin.self, Unpin.self]),
            CommandGroup(name: "Go back", subcommands: [Restore.self]),
            CommandGroup(name: "Keep", subcommands: [Forget.self, CollectGarbage.self, Verify.self]),

        ])

    static func main() {
        let arguments = RawArgument.all
        let words = Array(arguments.dropFirst())
        if let program = arguments.first, MountHelper.isCalled(program) { Glibc.exit(MountHelper.run(words)) }
        Glibc.exit(run(words).rawValue)
    }

    /// Runs one command line and returns the status to exit with; everything has been said by then.
    static func run(_ arguments: [String]) -> ExitStatus {
        do {
            try requireKnown(arguments.first)
            var command = try parseAsRoot(arguments)
            try command.run()
            return .done
        } catch let error as StoreError {
            StandardError.report(error)
            return ExitStatus(error)
        } catch let error as UsageError {
            StandardError.report(error.message, hint: error.hint)
            return .usage
        } catch let error as Ended {
            return error.status
        } catch {
            return finish(error)
        }
    }

    /// The argument parser calls an unknown command an unexpected argument.
    private static func requireKnown(_ word: String?) throws(UsageError) {
        guard let word, !word.hasPrefix("-") else { return }
        let commands = configuration.subcommands + configuration.groupedSubcommands.flatMap(\.subcommands)
        let names = commands.flatMap { [$0._commandName] + $0.configuration.aliases } + ["help"]
        if names.contains(word) { return }
        let near = NearMatches.of(word, among: Set(names))
        throw UsageError(
            "\(Printable.text(word)): there is no such command",
            hint: near.isEmpty ? "firn --help lists them" : "did you mean \(near.joined(separator: " or "))?")
    }

    /// What the argument parser throws: requests for help among real errors.
    private static func finish(_ error: any Error) -> ExitStatus {
        let text = fullMessage(for: error)
        guard exitCode(for: error) == .success else {
            let prefix = "Error: "
            StandardError.line(
                "firn: " + (text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text))
            return .usage
        }
        let output = StandardOutput()
        do throws(StoreError) {
            try output.line(text)
            try output.flush()
            return .done
        } catch {
            StandardError.report(error)
            return ExitStatus(error)
        }
    }
}
