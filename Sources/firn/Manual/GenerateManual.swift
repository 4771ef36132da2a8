import ArgumentParser
import Control
import Glibc
import Store
import SystemPackage

extension Firn {
    /// Writes the manual pages; for `scripts/generate-docs.sh` alone.
    struct GenerateManual: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "generate-manual",
            abstract: "Write the manual pages.",
            shouldDisplay: false)

        @Argument(help: "The directory for them.", completion: .directory)
        var directory: String

        func run() throws {
            for page in try GenerateManual.pages() {
                let path = "\(directory)/\(page.name).1"
                do throws(Errno) {
                    let file = try Syscall.open(
                        at: AT_FDCWD, RawPath(path), O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
                    let bytes = Array(page.text.utf8)
                    _ = try bytes.withUnsafeBytes { buffer -> Result<Int, Errno> in
                        Result { () throws(Errno) in try Syscall.write(file.fd, buffer, at: 0) }
                    }.get()
                } catch { throw StoreError(error, doing: "write the page", subject: path) }
            }
        }

        static func pages() throws -> [ManualPage] {
            ManualPage.all(dump: try JSONParser.parse(Array(Firn._dumpHelp().utf8)))
        }
    }
}
