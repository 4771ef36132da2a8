import ArgumentParser
import Control
import Store

extension Firn {
    struct Abort: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "abort",
            abstract: "Throw away what is staged.",
            discussion: """
                Staging is as the version it lies over again. What was written since is gone for good, so on a \
                terminal the command asks first, and anywhere else it wants --yes.

                EXAMPLES:
                  firn status --changes
                  firn abort
                  firn abort --yes
                """)

        @Flag(name: .shortAndLong, help: "Do not ask.")
        var yes = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            if !yes { try ask() }
            let outcome = try common.perform(.abort)
            try common.print(outcome) { output in
                let count = outcome["discarded"]["entries"].integer ?? 0
                try output.line(
                    count == 0
                        ? "Nothing was staged."
                        : "Threw away \(AbortSummary.amount(outcome["discarded"])).")
            }
        }

        private func ask() throws {
            guard StandardError.canAsk else {
                throw StoreError(
                    .stagedChanges, "this would throw staged changes away, and there is nobody to ask",
                    hint: "give --yes")
            }
            let staging = try common.perform(.status(listsChanges: false))["staging"]
            guard staging["entries"].integer ?? 0 > 0 else { return }
            guard StandardError.confirms("Throw away \(AbortSummary.amount(staging))?") else {
                StandardError.line("firn: nothing was thrown away")
                throw Ended(status: .refused)
            }
        }
    }
}

enum AbortSummary {
    /// `3 changes (2 files, 1.5 KiB)`
    static func amount(_ staged: JSONValue) -> String {
        let files = Quantity.count(staged["files"].integer ?? 0, "file")
        let bytes = Quantity.bytes(staged["bytes"].integer ?? 0)
        return "\(Quantity.count(staged["entries"].integer ?? 0, "change")) (\(files), \(bytes))"
    }
}
