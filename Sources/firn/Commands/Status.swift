import ArgumentParser
import Control
import Store
import SystemPackage

extension Firn {
    struct Status: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Show what is staged, the latest version, and where the store is mounted.",
            discussion: """
                EXAMPLES:
                  firn status
                  firn status --changes
                  firn status --json
                """)

        @Flag(name: .shortAndLong, help: "List every staged change.")
        var changes = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let document = try read()
            try common.print(document) { output in
                var table = Table(alignments: [.left, .left])
                table.add(["store", Printable.text(document["store"].string ?? "")])
                table.add(["mount", Status.mount(document["mount"])])
                table.add(["latest", Status.latest(document["latest"])])
                table.add(["staged", Status.staged(document["staging"])])
                table.add(["versions", Status.totals(document["totals"])])
                table.add(["disk", Status.disk(document["disk"])])
                for line in table.lines { try output.line(line) }
                for change in document["staging"]["changes"].elements {
                    try output.line("  \(Status.change(change))")
                }
            }
        }

        private static let workspaceName = "main"

        /// From the daemon, which knows the mount; else what a reader sees.
        private func read() throws -> JSONValue {
            let location = try common.location()
            let request = ControlRequest.status(listsChanges: changes)
            do throws(StoreError) {
                if let document = try ControlClient.perform(request, at: location.path) { return document }
            } catch {
                // The mount shows its own status to whoever may look into it.
                guard error.errno == .permissionDenied, !changes, let mountpoint = location.mountpoint,
                    let bytes = try? SmallFile.read(mountpoint + "/.firn/status"),
                    let json = try? JSONParser.parse(bytes), json["error"]["message"].string == nil
                else { throw error }
                return json
            }
            let store = try Store.open(at: location.path, .reading)
            // The first owner after init makes it.
            guard try store.workspaceNames().contains(Status.workspaceName) else {
                return try store.statusJSON().appending([
                    "mount": .null, "staging": .nothingStaged(in: Status.workspaceName),
                ])
            }
            return try Engine(store: store, workspace: try store.workspace())
                .perform(request, caller: .current)
        }

        private static func mount(_ mount: JSONValue) -> String {
            guard let mountpoint = mount["mountpoint"].string else { return "not mounted" }
            let passthrough =
                mount["passthrough"].bool == true
                ? ", passthrough"
                : mount["passthrough_choice"].string == "off" ? ", passthrough off" : ", no passthrough"
            let supervised = mount["supervised"].bool == true ? ", supervised" : ", unsupervised"
            let readOnly = mount["read_only"].bool == true ? ", read-only" : ""
            return "\(Printable.text(mountpoint)) (process \(mount["pid"].integer ?? 0)"
                + "\(passthrough)\(supervised)\(readOnly))"
        }

        private static func latest(_ version: JSONValue) -> String {
            guard let name = version["version"].string else { return "no version yet" }
            let tags = version["tags"].elements.compactMap(\.string)
            let message = Printable.firstLine(version["message"].string ?? "")
            let time = version["time"].string?.prefix(19) ?? ""
            return "\(name)  \(time)Z" + (tags.isEmpty ? "" : "  [\(tags.joined(separator: ", "))]")
                + (message.isEmpty ? "" : "  \(message)")
        }

        private static func staged(_ staging: JSONValue) -> String {
            let entries = staging["entries"].integer ?? 0
            let open = staging["open_for_writing"].integer ?? 0
            let pending = staging["pending_hashes"].integer ?? 0
            return (entries == 0 ? "nothing" : AbortSummary.amount(staging))
                + (open > 0 ? ", \(open) open for writing" : "")
                + (pending > 0 ? ", \(pending) to be hashed" : "")
        }

        private static func totals(_ totals: JSONValue) -> String {
            "\(totals["versions"].integer ?? 0), \(Quantity.bytes(totals["logical_bytes"].integer ?? 0)) in all, "
                + "\(Quantity.bytes(totals["blob_bytes"].integer ?? 0)) of distinct content"
        }

        private static func disk(_ disk: JSONValue) -> String {
            "\(Quantity.bytes(disk["free_bytes"].integer ?? 0)) free of "
                + Quantity.bytes(disk["total_bytes"].integer ?? 0)
        }

        private static func change(_ change: JSONValue) -> String {
            let letters = ["added": "A", "removed": "D", "changed": "M", "type": "T", "attributes": "P"]
            let path = Printable.text(change["path"].string ?? "")
            let isDirectory = change["kind"].string == "directory"
            return "\(letters[change["change"].string ?? ""] ?? "?")  \(path)\(isDirectory ? "/" : "")"
        }
    }
}
