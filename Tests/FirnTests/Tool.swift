import Control
import Foundation
import TestSupport

/// Runs the `firn` that was built with these tests, as a user does.
struct Tool {
    struct Outcome {
        let status: Int32
        let output: String
        let errors: String

        /// What `--json` printed.
        var json: JSONValue { (try? JSONParser.parse(Array(output.utf8))) ?? .null }
    }

    /// What the environment says of a store.
    var store: String?
    var directory = "/"

    /// Beside the bundle of the tests.
    static var path: String {
        let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
        let candidates = [
            bundle, Bundle.main.bundleURL,
            URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
                .deletingLastPathComponent(),
            Snapshot.root.appendingPathComponent(".build/debug"),
        ]
        let found = candidates.map { $0.appendingPathComponent("firn").path }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        return found ?? "firn"
    }

    @discardableResult
    func run(_ arguments: String...) throws -> Outcome { try run(arguments) }

    func run(_ arguments: [String]) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Tool.path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        var environment = ProcessInfo.processInfo.environment
        environment["FIRN_STORE"] = store
        environment["COLUMNS"] = nil
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: complaints, as: UTF8.self))
    }
}
