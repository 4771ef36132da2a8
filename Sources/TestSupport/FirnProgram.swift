internal import Foundation

/// The `firn` program that was built together with the tests.
public enum FirnProgram {
    /// `FIRN_BINARY`, or the one beside the test bundle in the build directory.
    public static var path: String {
        if let given = ProcessInfo.processInfo.environment["FIRN_BINARY"] { return given }
        return built("firn")
    }

    /// A program that was built together with the tests.
    public static func built(_ name: String) -> String {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().appendingPathComponent(name).path
    }

    /// Runs it to its end.
    ///
    /// - Parameters:
    ///   - user: who is to run it, by name; needs root. nil for who runs the tests.
    ///   - store: what `FIRN_STORE` is to be for it; nil for none.
    public static func run(
        _ arguments: [String], as user: String? = nil, store: String? = nil, in directory: String = "/"
    ) throws -> Shell.Outcome {
        let command = [path] + arguments
        var environment = ProcessInfo.processInfo.environment
        environment["FIRN_STORE"] = store
        return try Shell.run(
            user.map { Shell.command(command, as: $0) } ?? command, environment: environment, in: directory)
    }
}

extension Shell {
    /// The command that runs another as `user`, with none of root's groups or capabilities.
    public static func command(_ command: [String], as user: String) -> [String] {
        [
            "/usr/bin/setpriv", "--reuid=\(user)", "--regid=\(user == "nobody" ? "nogroup" : user)",
            "--clear-groups",
        ]
            + command
    }

    /// Runs a command to its end and takes what it prints on both streams. What it leaves running must not hold
    /// them open.
    ///
    /// - Parameter environment: instead of this process's.
    public static func run(
        _ command: [String], environment: [String: String]? = nil, in directory: String = "/"
    ) throws -> Outcome {
        let process = try RunningProcess(command, environment: environment, in: directory)
        return process.wait()
    }
}

/// A program that runs beside the test. Killed with its last reference if it still runs.
public final class RunningProcess {
    private let process = Process()
    private let streams = TestDirectory()

    public init(
        _ command: [String], environment: [String: String]? = nil, in directory: String = "/"
    ) throws {
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        if let environment { process.environment = environment }
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        process.standardInput = FileHandle.nullDevice
        // Files, not pipes: nothing blocks on a reader, and a daemon that is left behind keeps no one waiting.
        process.standardOutput = try stream("output")
        process.standardError = try stream("errors")
        try process.run()
    }

    private func stream(_ name: String) throws -> FileHandle {
        let path = streams.appending(name)
        _ = FileManager.default.createFile(atPath: path, contents: nil)
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    public var pid: Int32 { process.processIdentifier }
    public var isRunning: Bool { process.isRunning }
    public func send(_ signal: Int32) { kill(pid, signal) }

    public func wait() -> Shell.Outcome {
        process.waitUntilExit()
        return Shell.Outcome(
            status: process.terminationStatus, output: read("output"), errors: read("errors"))
    }

    private func read(_ name: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: streams.appending(name)) ?? Data())
    }

    deinit {
        guard process.isRunning else { return }
        kill(pid, SIGKILL)
        process.waitUntilExit()
    }
}

extension Shell.Outcome {
    public var complaints: String { String(decoding: errors, as: UTF8.self) }
}
