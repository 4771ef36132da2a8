import ArgumentParser
import Control
import Glibc
import Objects
import Store
import SystemPackage

extension Firn {
    struct Export: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "export",
            abstract: "Copy a version out, as a directory or as a tar archive.",
            discussion: """
                The target is a directory, which must be new or empty; a tar archive, which is a file whose name \
                ends in .tar, or in .tar.gz or .tar.zst to be compressed; or - for a tar archive on standard \
                output. Into a device or a fifo a tar archive is written. Modes, owners, times, links, holes and \
                extended attributes are kept. This needs no mount.

                EXAMPLES:
                  firn export baseline ~/baseline
                  firn export baseline:run/checkpoints checkpoints.tar
                  firn export baseline baseline.tar.zst
                  firn export v42 - | ssh backup 'cat > v42.tar'
                """)

        @Argument(help: ArgumentHelp("The version, and a path in it.", valueName: "version[:path]"))
        var place: VersionPathArgument

        @Argument(
            help: ArgumentHelp(
                "A directory, a file ending in .tar, .tar.gz or .tar.zst, a device, or -.",
                valueName: "target"),
            completion: .file())
        var target: PathArgument

        @Flag(help: "Replace a tar file that exists, or write over a disk.")
        var force = false

        @OptionGroup var common: StoreOptions

        func run() throws {
            let existing = target.text == "-" ? .standardOutput : ArchiveTarget(RawPath(target.bytes))
            let isStream = if case .standardOutput = existing { true } else { false }
            if isStream, StandardOutput.isTerminal {
                throw Export.terminalRefused
            }
            let compression = try self.compression()
            let store = try common.openForReading()
            let found = try SealedPath.find(place, in: store)
            let bar = ProgressBar()
            defer { bar.end() }
            let summary: ExportSummary
            if isStream {
                summary = try store.export(
                    found.version, path: found.path, toTar: STDOUT_FILENO, compression: compression ?? .none,
                    progress: bar.progress)
            } else if case .special(let isDisk) = existing {
                summary = try writeInto(found, isDisk: isDisk, compression ?? .none, store, bar.progress)
            } else if let compression {
                summary = try writeFile(found, compression, store, bar.progress)
            } else {
                summary = try store.export(
                    found.version, path: found.path, toDirectory: target.text, progress: bar.progress)
            }
            bar.end()
            for path in summary.skipped {
                StandardError.report(
                    "warning: a tar archive cannot hold it, so it was left out", subject: path.display)
            }
            // Standard output holds the archive.
            if isStream { return }
            try common.print(document(found, summary)) { output in
                let files = Quantity.count(summary.files, "file")
                try output.line(
                    "Exported \(found.version.number) to \(Printable.text(target.text)): \(files), "
                        + Quantity.bytes(summary.bytes))
            }
        }

        /// By the target's name; nil for a directory.
        private func compression() throws -> ArchiveCompression? {
            let name = target.text.lowercased()
            if [".tar.gz", ".tgz"].contains(where: name.hasSuffix) { return .gzip }
            if [".tar.zst", ".tzst"].contains(where: name.hasSuffix) { return .zstd }
            if name.hasSuffix(".tar") { return ArchiveCompression.none }
            let others = [
                ".tar.xz", ".txz", ".tar.bz2", ".tbz2", ".tar.lz4", ".tar.lzma", ".zip", ".7z", ".cpio",
            ]
            if let other = others.first(where: name.hasSuffix) {
                throw UsageError(
                    "firn writes no \(other) archives",
                    hint:
                        "give .tar, .tar.gz or .tar.zst, or - and a pipe; for a directory of that name, end it with /"
                )
            }
            return nil
        }

        /// What was in a fifo's or a device's place stays there.
        private func writeInto(
            _ found: SealedPath, isDisk: Bool, _ compression: ArchiveCompression, _ store: Store,
            _ progress: Progress
        ) throws -> ExportSummary {
            guard force || !isDisk else {
                throw StoreError(
                    .invalidInput, "it is a disk, and what it holds would be lost", subject: target.text,
                    hint: "give --force to write over it")
            }
            let device = try system("write to") { () throws(Errno) in
                try ArchiveTarget.open(RawPath(target.bytes), isDisk: isDisk)
            }
            guard isatty(device.fd) == 0 else { throw Export.terminalRefused }
            let summary = try store.export(
                found.version, path: found.path, toTar: device.fd, compression: compression,
                progress: progress)
            if isDisk { try system("sync") { () throws(Errno) in try Syscall.sync(device.fd) } }
            return summary
        }

        private static let terminalRefused = UsageError(
            "a tar archive is not for a terminal", hint: "pipe it, or name a .tar file")

        /// The file gets its name when it is complete.
        private func writeFile(
            _ found: SealedPath, _ compression: ArchiveCompression, _ store: Store, _ progress: Progress
        ) throws(StoreError) -> ExportSummary {
            let path = RawPath(target.bytes)
            let partial = RawPath(target.bytes + Array(".partial-\(getpid())".utf8))
            let file = try system("make the archive") { () throws(Errno) in
                if !force, try Syscall.statIfPresent(at: AT_FDCWD, path) != nil { throw Errno.fileExists }
                return try Syscall.open(at: AT_FDCWD, partial, O_WRONLY | O_CREAT | O_EXCL, mode: 0o666)
            }
            do throws(StoreError) {
                let summary = try store.export(
                    found.version, path: found.path, toTar: file.fd, compression: compression,
                    progress: progress)
                try system("write the archive") { () throws(Errno) in
                    try Syscall.sync(file.fd)
                    try Syscall.rename(
                        at: AT_FDCWD, partial, to: AT_FDCWD, path, force ? [] : .noReplace)
                }
                return summary
            } catch {
                try? Syscall.unlink(at: AT_FDCWD, partial)
                throw error
            }
        }

        private func system<Result>(
            _ doing: String, _ call: () throws(Errno) -> Result
        ) throws(StoreError) -> Result {
            do throws(Errno) { return try call() } catch {
                guard error == .fileExists else {
                    throw StoreError(error, doing: doing, subject: target.text)
                }
                throw StoreError(
                    .invalidInput, "the file exists", subject: target.text, hint: "give --force to replace it"
                )
            }
        }

        private func document(_ found: SealedPath, _ summary: ExportSummary) -> JSONValue {
            [
                "version": .string(found.version.number.description), "target": .string(target.text),
                "files": .integer(summary.files), "directories": .integer(summary.directories),
                "others": .integer(summary.others), "bytes": .integer(summary.bytes),
                "skipped": .array(summary.skipped.map { .path($0) }),
            ]
        }
    }
}
