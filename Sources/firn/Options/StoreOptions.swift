import ArgumentParser
import Control
import Store

/// What every command about a store takes.
struct StoreOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store, or a mount of it (default: FIRN_STORE, else the mount you are in).",
            valueName: "directory"),
        completion: .directory)
    var store: String?

    @Flag(help: "Print a JSON document instead of text.")
    var json = false

    func location() throws -> StoreLocation { try StoreLocation.find(store) }

    /// Opens the store to read what is sealed, beside a daemon or without one.
    func openForReading() throws -> Store {
        let store = try Store.open(at: try location().path, .reading)
        // Open until the process ends: to close what only reads saves nothing, and takes SQLite and Dispatch as long as
        // a small command does.
        _ = Unmanaged.passRetained(store)
        return store
    }

    /// Has the store's owner perform `request`, with a progress bar, and returns the document it answers with.
    ///
    /// - Parameter input: the open file that the request speaks of.
    func perform(_ request: ControlRequest, input: Descriptor? = nil) throws -> JSONValue {
        let bar = ProgressBar()
        defer { bar.end() }
        return try request.perform(at: try location().path, input: input, progress: bar.progress)
    }

    /// Prints `document` where `--json` asks for it, else what `text` writes.
    func print(_ document: @autoclosure () throws -> JSONValue, text: (StandardOutput) throws -> Void) throws
    {
        let output = StandardOutput()
        if json {
            try output.line(try document().indented)
        } else {
            try text(output)
        }
        try output.flush()
    }
}

/// A version and a path in it: `VERSION[:PATH]`.
struct VersionPathArgument: ExpressibleByArgument, Hashable, Sendable {
    let version: String
    /// The bytes after the colon; empty for the root.
    let path: PathArgument

    init?(argument: String) {
        // The colons of a time (@2026-11-20T12:00:00Z) are not the one before the path.
        let utf8 = argument.utf8
        let isTime = utf8.first == UInt8(ascii: "@") && utf8.dropFirst(11).first == UInt8(ascii: "T")
        let start = isTime ? utf8.firstIndex(of: UInt8(ascii: "Z")) ?? utf8.startIndex : utf8.startIndex
        guard let colon = utf8[start...].firstIndex(of: UInt8(ascii: ":")) else {
            version = argument
            path = PathArgument(bytes: [])
            return
        }
        version = String(argument[..<colon])
        path = PathArgument(bytes: RawArgument.bytes(String(argument[argument.index(after: colon)...])))
    }

    static let latest = VersionPathArgument(version: "latest")

    var defaultValueDescription: String { version }

    init(version: String) {
        self.version = version
        path = PathArgument(bytes: [])
    }
}
