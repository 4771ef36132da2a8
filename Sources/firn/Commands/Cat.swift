import ArgumentParser
import Control
import Glibc
import Objects
import Store
import SystemPackage

extension Firn {
    struct Cat: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cat",
            abstract: "Write a sealed file to standard output.",
            discussion: """
                This needs no mount. Symlinks are not followed.

                EXAMPLES:
                  firn cat baseline:run/config.json
                  firn cat v42:run/model.safetensors > model.safetensors
                """)

        @Argument(help: ArgumentHelp("The version and the path of a file in it.", valueName: "version:path"))
        var files: [VersionPathArgument]

        @Option(
            help: ArgumentHelp(
                "The store, or a mount of it (default: FIRN_STORE, else the mount you are in).",
                valueName: "directory"),
            completion: .directory)
        var store: String?

        func run() throws {
            let store = try Store.open(at: try StoreLocation.find(store).path, .reading)
            for file in files {
                let found = try SealedPath.find(file, in: store)
                guard let digest = found.entry.blob else {
                    throw StoreError(
                        .invalidInput, "it is a \(found.entry.kind.words), not a file",
                        subject: found.path.isRoot ? found.version.number.description : found.path.display,
                        hint: found.entry.kind == .directory ? "list it with: firn ls" : "")
                }
                let blob = try store.blobs.open(digest, size: found.entry.size)
                guard try Cat.copy(blob, found.path.display) == found.entry.size else {
                    throw StoreError(
                        .damaged, "the object is not as long as it was when it was sealed",
                        subject: digest.hex, hint: "firn verify lists every version and path it affects")
                }
            }
        }

        /// - Returns: how many bytes there were.
        private static func copy(_ blob: Descriptor, _ name: String) throws(StoreError) -> UInt64 {
            let output = StandardOutput()
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
            defer { buffer.deallocate() }
            var offset: off_t = 0
            while true {
                let count: Int
                do throws(Errno) { count = try Syscall.read(blob.fd, into: buffer, at: offset) } catch {
                    throw StoreError(error, doing: "read", subject: name)
                }
                if count == 0 { return UInt64(offset) }
                try output.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                try output.flush()
                offset += off_t(count)
            }
        }
    }
}
