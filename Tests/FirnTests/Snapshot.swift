import Foundation
import Testing

/// Text that is kept in `Tests/FirnTests/Snapshots/` or `docs/`. With `FIRN_UPDATE_SNAPSHOTS=1` in the
/// environment the file is written instead of compared; `git diff` then shows what changed.
enum Snapshot {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    static var isUpdating: Bool { ProcessInfo.processInfo.environment["FIRN_UPDATE_SNAPSHOTS"] == "1" }

    /// - Parameter path: relative to the package.
    static func expect(_ text: String, at path: String, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        let file = root.appendingPathComponent(path)
        if isUpdating {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            return
        }
        let kept = try? String(contentsOf: file, encoding: .utf8)
        #expect(
            kept == text,
            "\(path) is out of date; run scripts/generate-docs.sh and look at the difference",
            sourceLocation: sourceLocation)
    }
}
