import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Forget: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "forget",
            abstract: "Forget old versions, by policy or by name.",
            discussion: """
                Each --keep option keeps some versions, and what none keeps is forgotten; a policy that keeps \
                nothing is refused. --keep-daily 7 keeps the newest version of each of the last seven days that \
                have one, and so on for hours, ISO weeks, months and years, all in UTC; --keep-within 7d keeps \
                everything from the seven days before the newest version (units y, m, d, h). 'unlimited' keeps \
                all of a kind. The latest version, pinned versions, versions with a tag and versions that \
                staging lies over are kept in any case, except that --forget-tag takes their protection from \
                tags that match.

                The space of forgotten versions is freed by 'firn gc', or at once with --prune.

                EXAMPLES:
                  firn forget --keep-last 10 --dry-run
                  firn forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --prune
                  firn forget --keep-within 30d --forget-tag 'nightly-*'
                  firn forget v17 v18
                """)

        @Argument(help: "Versions to forget, instead of a policy.")
        var versions: [String] = []

        @OptionGroup var policy: PolicyOptions

        @Flag(
            name: [.customShort("n"), .long], help: "Show what would be forgotten, and why the rest is kept.")
        var dryRun = false

        @Flag(help: "Free the space at once, as 'firn gc' does.")
        var prune = false

        @OptionGroup var common: StoreOptions

        func validate() throws {
            if !versions.isEmpty, policy.isGiven {
                throw ValidationError("give versions or a policy, not both")
            }
            if !versions.isEmpty, dryRun { throw ValidationError("--dry-run is for policies") }
            if versions.isEmpty, !policy.isGiven {
                throw ValidationError("say what to keep, such as --keep-last 10, or name versions to forget")
            }
        }

        func run() throws {
            var document = try forget()
            if prune, !dryRun {
                document = document.appending(["gc": try common.perform(.gc(isDryRun: false))])
            }
            try common.print(document) { output in
                for line in Forget.table(document["decisions"]).lines { try output.line(line) }
                let count = document["forgotten"].elements.count
                try output.line(
                    (dryRun ? "Would forget " : "Forgot ") + Quantity.count(count, "version"))
                if !document["gc"].isNull { try output.line(CollectGarbage.summary(document["gc"])) }
            }
        }

        private func forget() throws -> JSONValue {
            if !versions.isEmpty { return try common.perform(.forget(.versions(versions))) }
            let policy = try policy.policy()
            if !dryRun { return try common.perform(.forget(.policy(policy))) }
            let store = try common.openForReading()
            return try store.forgetJSON(try store.planForget(policy), isDryRun: true)
        }

        private static func table(_ decisions: JSONValue) -> Table {
            var table = Table(alignments: [.left, .left, .left, .left, .left])
            for decision in decisions.elements {
                let isKept = decision["kept"].bool ?? true
                table.add([
                    isKept ? "keep" : "forget", decision["version"].string ?? "",
                    String(decision["time"].string?.prefix(19) ?? "") + "Z",
                    decision["tags"].elements.compactMap(\.string).joined(separator: " "),
                    decision["reasons"].elements.compactMap(\.string).joined(separator: ", "),
                ])
            }
            return table
        }
    }
}
