public import Foundation

/// Runs real programs.
public enum Shell {
    public struct Outcome: Sendable {
        public let status: Int32
        public let output: [UInt8]
        public let errors: [UInt8]

        public var text: String { String(decoding: output, as: UTF8.self) }
    }

    /// Runs a program to its end, with `input` on its standard input.
    public static func run(
        _ program: String, _ arguments: String..., input: FileHandle = .nullDevice
    ) throws -> Outcome {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.standardInput = input
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = errors.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return Outcome(
            status: process.terminationStatus, output: Array(text), errors: Array(complaints))
    }
}
