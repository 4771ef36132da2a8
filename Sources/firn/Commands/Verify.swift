import ArgumentParser
import Control
import Objects
import Store

extension Firn {
    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Check that everything sealed is as it was.",
            discussion: """
                Hashes every object that a version refers to, and every tree node, and compares. Each thing \
                that is damaged or missing is named with the versions and paths that use it, and the exit \
                status is 3. This changes nothing and may run while the store is mounted.

                EXAMPLES:
                  firn verify
                  firn verify --quick
                """)

        @Flag(help: "Look only whether objects are there and how large they are.")
        var quick = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let store = try common.openForReading()
            let bar = ProgressBar()
            defer { bar.end() }
            let report = try store.verify(deep: !quick, progress: bar.progress)
            bar.end()
            try common.print(JSONValue(report)) { output in
                for problem in report.problems { try Verify.print(problem, output) }
                let objects = Quantity.count(report.blobs, "object")
                try output.line(
                    "Verified \(Quantity.count(report.versions, "version")), \(objects), "
                        + "\(Quantity.bytes(report.bytes)): "
                        + (report.isClean ? "all is well" : Quantity.count(report.problems.count, "problem")))
            }
            if !report.isClean { throw Ended(status: .damaged) }
        }

        private static func print(_ problem: VerifyProblem, _ output: StandardOutput) throws {
            let digest = problem.digest.map { " \($0.hex)" } ?? ""
            try output.line("\(problem.kind.rawValue)\(digest): \(Printable.text(problem.message))")
            for use in problem.uses {
                try output.line("    \(use.version):\(Printable.name(use.path.bytes))")
            }
            let more = problem.useCount - problem.uses.count
            if more > 0 { try output.line("    and \(Quantity.count(more, "more place"))") }
        }
    }
}
