import Control
import Objects
import Store

extension TreeDifference {
    /// `M  run/model.pt  (1.5 MiB -> 1.6 MiB)`
    var line: String {
        let isDirectory = (new ?? old)?.kind == .directory
        let text = detail.isEmpty ? "" : "  (\(detail))"
        return "\(letter)  \(Printable.name(path.bytes))\(isDirectory ? "/" : "")\(text)"
    }

    private var letter: String {
        switch kind {
        case .added: "A"
        case .removed: "D"
        case .changed: "M"
        case .type: "T"
        case .attributes: "P"
        }
    }

    private var detail: String {
        switch (old, new) {
        case (let old?, let new?): change(old, new)
        case (nil, let entry?), (let entry?, nil): entry.kind == .directory ? "" : entry.summary
        case (nil, nil): ""
        }
    }

    private func change(_ old: TreeEntry, _ new: TreeEntry) -> String {
        switch kind {
        case .type: "\(old.kind.words) -> \(new.kind.words)"
        case .changed: "\(old.summary) -> \(new.summary)"
        default: properties(old, new).joined(separator: ", ")
        }
    }

    private func properties(_ old: TreeEntry, _ new: TreeEntry) -> [String] {
        var parts: [String] = []
        if old.mode != new.mode { parts.append("mode \(old.modeText) -> \(new.modeText)") }
        if old.uid != new.uid || old.gid != new.gid {
            parts.append("owner \(old.uid):\(old.gid) -> \(new.uid):\(new.gid)")
        }
        if old.flags != new.flags {
            parts.append("flags \(old.flags.text) -> \(new.flags.text)")
        }
        if old.otherAttributes != new.otherAttributes { parts.append("extended attributes") }
        if old.mtime != new.mtime {
            parts.append("time \(CivilDate(old.mtime).timeText) -> \(CivilDate(new.mtime).timeText)")
        }
        return parts
    }

    var json: JSONValue {
        JSONValue.path(path).appending([
            "change": .string(kind.rawValue),
            "old": old.map { JSONValue($0) } ?? .null,
            "new": new.map { JSONValue($0) } ?? .null,
        ])
    }
}

extension TreeEntry {
    /// `0644`
    var modeText: String {
        let digits = String(mode, radix: 8)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    /// A file's size, a symlink's target, or what else it is.
    var summary: String {
        switch content {
        case .blob: Quantity.bytes(size)
        case .target(let target): "-> \(Printable.name(target))"
        default: kind.words
        }
    }
}

extension EntryKind {
    var words: String { text.split(separator: "_").joined(separator: " ") }
}

extension JSONValue {
    /// What a sealed entry is, without its name.
    init(_ entry: TreeEntry) {
        var members: [Member] = [
            Member("kind", .string(entry.kind.text)),
            Member("mode", .string(entry.modeText)),
            Member("uid", .integer(entry.uid)),
            Member("gid", .integer(entry.gid)),
            Member("bytes", .integer(entry.size)),
            Member("mtime", .time(entry.mtime)),
        ]
        switch entry.content {
        case .blob(let digest): members.append(Member("digest", .string(digest.hex)))
        case .tree(let digest, let files):
            members.append(Member("tree", .string(digest.hex)))
            members.append(Member("files", .integer(files)))
        case .target(let target): members.append(Member("target", JSONValue.path(target)["path"]))
        case .device(let number): members.append(Member("device", .integer(number)))
        case .none: break
        }
        if !entry.flags.isEmpty { members.append(Member("flags", .string(entry.flags.letters))) }
        let attributes = entry.otherAttributes
        if !attributes.isEmpty {
            members.append(Member("xattrs", .array(attributes.map { .string(Printable.name($0.name)) })))
        }
        self = .object(members)
    }
}

extension TreeEntry {
    /// The extended attributes that are what they are called.
    fileprivate var otherAttributes: [ExtendedAttribute] {
        xattrs.filter { $0.name != ExtendedAttribute.flagsName }
    }
}

extension FileFlags {
    fileprivate var text: String { isEmpty ? "none" : letters }
}
