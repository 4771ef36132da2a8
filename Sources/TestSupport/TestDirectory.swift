internal import Foundation
internal import Store
internal import SystemPackage

/// A new, empty directory that is removed with its last reference.
///
/// Below `FIRN_TEST_DIRECTORY` where that is set, else below `/var/tmp`, which is a filesystem with extended
/// attributes where `/tmp` may be none.
public final class TestDirectory: Sendable {
    public let path: String

    /// - Parameter place: where to make it instead.
    public init(below place: String? = nil) {
        let parent = place ?? ProcessInfo.processInfo.environment["FIRN_TEST_DIRECTORY"] ?? "/var/tmp"
        var template = Array("\(parent)/firn-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            preconditionFailure("cannot make a directory in \(parent)")
        }
        path = String(cString: made)
    }

    deinit {
        // What cannot be removed does not fail the test that made it.
        let url = URL(filePath: path)
        let parent = RawPath(url.deletingLastPathComponent().path(percentEncoded: false))
        guard let above = try? Syscall.open(at: AT_FDCWD, parent, O_RDONLY | O_DIRECTORY) else { return }
        try? RemoveTree.remove(RawPath(url.lastPathComponent), at: above)
    }

    public func appending(_ name: String) -> String { "\(path)/\(name)" }
}
