import ArgumentParser
import Control
import Store

extension Firn {
    struct Commit: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "commit",
            abstract: "Seal what is staged into a new version.",
            discussion: """
                The version is complete and on disk when the command ends. Programs may go on writing: they are \
                held up for a moment only, and files that are open for writing are captured as they are \
                (--open-files decides otherwise).

                A commit with nothing changed makes no version and ends with status 5, unless --allow-empty \
                is given.

                EXAMPLES:
                  firn commit -m "first try" -t baseline --param lr=3e-4 --metric auc=0.93
                  firn commit -m "resumed" --run $RUN_ID --metadata metrics.json
                  firn commit --tag nightly-$(date +%F) --open-files wait=300
                """,
            aliases: ["snapshot"])

        @OptionGroup var options: CommitOptions

        @Flag(help: "Make a version even if nothing changed.")
        var allowEmpty = false

        @Flag(help: "Move tags here that stand on another version.")
        var force = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let request = try options.request(allowsEmpty: allowEmpty, movesTags: force)
            let outcome = try common.perform(.commit(request))
            CommitSummary.warn(outcome)
            try common.print(outcome) { try CommitSummary.print(outcome, $0) }
        }
    }
}

/// What is said of a commit that succeeded.
enum CommitSummary {
    static func print(_ outcome: JSONValue, _ output: StandardOutput) throws {
        let version = outcome["version"]
        let tags = version["tags"].elements.compactMap(\.string)
        let name = version["version"].string ?? ""
        let message = Printable.firstLine(version["message"].string ?? "")
        try output.line(
            "Committed \(name)" + (tags.isEmpty ? "" : " [\(tags.joined(separator: ", "))]")
                + (message.isEmpty ? "" : " \(message)"))
        try output.line(
            "  \(Quantity.count(outcome["changed_entries"].integer ?? 0, "change")) sealed, "
                + "\(Quantity.bytes(version["new_bytes"].integer ?? 0)) new; "
                + "\(Quantity.count(version["files"].integer ?? 0, "file")), "
                + "\(Quantity.bytes(version["bytes"].integer ?? 0)) in all")
    }

    /// Names the files whose bytes may not be of one moment.
    static func warn(_ outcome: JSONValue) {
        for file in outcome["version"]["open_at_seal"].elements {
            let isTorn = file["torn"].bool ?? false
            StandardError.report(
                isTorn
                    ? "warning: it changed while it was captured, so its bytes may be of no single moment"
                    : "warning: it was open for writing and was captured as it was",
                subject: file["path"].string ?? "")
        }
        let captured = Set(outcome["version"]["open_at_seal"].elements.map { $0["path"] })
        for file in outcome["still_staged"].elements where !captured.contains(file["path"]) {
            StandardError.report(
                "warning: it is open for writing and was left out; it stays staged",
                subject: file["path"].string ?? "")
        }
    }
}
