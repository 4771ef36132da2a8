internal import Objects
internal import Store

// Names, pins and notes of versions.
extension Engine {
    func tag(_ name: String, _ selector: String, moves: Bool) throws(StoreError) -> JSONValue {
        let tag = try CommitRequest.tags([name])[0]
        let version = try store.resolve(selector)
        let previous = try naming.withLock { _ throws(StoreError) in
            let previous = try store.tags()[tag.text]
            try store.setTag(tag, to: version.number, moves: moves)
            return previous
        }
        hooks.versionsChanged(nil)
        return [
            "tag": .string(tag.text), "version": .string(version.number.description),
            "previous": .text(previous?.description),
        ]
    }

    /// All or none: a name that is no tag refuses the whole.
    func untag(_ names: [String]) throws(StoreError) -> JSONValue {
        let removed = try naming.withLock { _ throws(StoreError) in
            let tags = try store.tags()
            // Asking for what is missing refuses, and does so before anything has changed.
            if let missing = names.first(where: { tags[$0] == nil }) { try store.removeTag(missing) }
            var removed: [JSONValue] = []
            for name in Set(names).sorted() {
                try store.removeTag(name)
                removed.append(["tag": .string(name), "version": .text(tags[name]?.description)])
            }
            return removed
        }
        hooks.versionsChanged(nil)
        return ["removed": .array(removed)]
    }

    /// All or none: a selector that names no version refuses the whole.
    func setPinned(_ selectors: [String], _ isPinned: Bool) throws(StoreError) -> JSONValue {
        let numbers = try naming.withLock { _ throws(StoreError) in
            let numbers = try self.numbers(selectors)
            for number in numbers { try store.setPinned(number, isPinned) }
            return numbers
        }
        hooks.versionsChanged(nil)
        return ["versions": .texts(numbers.map(\.description)), "pinned": .bool(isPinned)]
    }

    func annotate(
        _ selector: String, _ notes: [ControlRequest.Note], author: String
    ) throws(StoreError) -> JSONValue {
        let version = try store.resolve(selector)
        try store.annotate(version.number, notes.map { ($0.key, $0.value) }, author: author)
        hooks.versionsChanged(nil)
        return [
            "version": .string(version.number.description),
            "annotations": .annotations(try store.annotations(of: version.number)),
        ]
    }

    /// Each version once, in the order they were named.
    func numbers(_ selectors: [String]) throws(StoreError) -> [VersionNumber] {
        var numbers: [VersionNumber] = []
        for selector in selectors {
            let number = try store.resolve(selector).number
            if !numbers.contains(number) { numbers.append(number) }
        }
        return numbers
    }
}
