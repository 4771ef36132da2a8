internal import Glibc
public import Objects
internal import Store
internal import SystemPackage

// Everything that a tree holds as one text, so that two can be compared and told apart by eye: a line for each path
// with its kind, mode, attributes and target or the digest of its bytes. Sealed bytes are not read for it: that they
// are those of their digest is for `verify` to find.
extension StoreFixture {
    public func contents(of version: Version) throws -> String {
        var lines: [String] = []
        for (path, entry) in try entries(of: version) { lines.append(try line(path, entry)) }
        return lines.sorted().joined(separator: "\n")
    }

    /// What staging shows.
    public func stagedContents(skipping skipped: Set<String> = []) throws -> String {
        var lines: [String] = []
        var pending = [TreePath.root]
        let view = StagedView(workspace, store)
        while let path = pending.popLast() {
            let found = try view.find(path)
            if !path.isRoot { lines.append(try line(path, found)) }
            if found.isDirectory {
                for name in try view.names(in: found) { pending.append(path.appending(name)) }
            }
        }
        return lines.filter { line in !skipped.contains { line.hasPrefix("\($0)\t") } }.sorted()
            .joined(separator: "\n")
    }

    /// What staging shows at one path; empty where there is nothing.
    public func stagedContents(at path: TreePath) throws -> String {
        try line(path, try StagedView(workspace, store).find(path))
    }

    private func line(_ path: TreePath, _ found: StagedView.Found) throws -> String {
        switch found {
        case .nothing: return ""
        case .base(let entry): return try line(path, entry)
        case .upper(let upper, let place):
            guard let kind = upper.file.kind else { throw Errno.invalidArgument }
            var content = ""
            switch kind {
            case .file: content = Digest.of(try stagedBytes(path)).hex
            case .symlink:
                content = String(decoding: try Syscall.readSymlink(at: place.fd, place.path), as: UTF8.self)
            default: break
            }
            let attributes = try Syscall.attributeNames(at: place.fd, place.path).filter {
                $0.starts(with: Array("user.x".utf8))
            }
            return StoreFixture.line(path, kind, upper.file.permissions, attributes, content)
        }
    }

    private func line(_ path: TreePath, _ entry: TreeEntry) throws -> String {
        var content = ""
        switch entry.content {
        case .blob(let blob):
            content = blob.hex
        case .target(let target): content = String(decoding: target, as: UTF8.self)
        default: break
        }
        return StoreFixture.line(path, entry.kind, entry.mode, entry.xattrs.map(\.name), content)
    }

    private static func line(
        _ path: TreePath, _ kind: EntryKind, _ mode: UInt16, _ attributes: [[UInt8]], _ content: String
    ) -> String {
        let names = attributes.map { String(decoding: $0, as: UTF8.self) }.sorted().joined(separator: ",")
        return [path.display, "\(kind)", String(mode, radix: 8), names, content].joined(separator: "\t")
    }
}
