public import Objects

// The inode numbers of what a workspace shows: see `docs/ARCHITECTURE.md`, "Inode numbers".
extension Store {
    /// The numbers of those things in a base directory whose number does not follow from its name.
    ///
    /// - Parameter directory: the directory's own number.
    public func notedNumbers(in directory: UInt64) throws(StoreError) -> [FileName: UInt64] {
        try catalog.inodeNumbers(in: directory)
    }

    /// The number from which those in the top directory follow. Not what `stat` shows of that directory, which is
    /// always the same: what it holds is other files after another tree has taken the place of the whole.
    public func topNumber(of workspace: Workspace) throws(StoreError) -> UInt64 {
        let place = try workspace.place([])
        return try topNumber(of: workspace, as: try workspace.overlay.probe(place))
    }

    func topNumber(of workspace: Workspace, as top: UpperEntry?) throws(StoreError) -> UInt64 {
        if let noted = top?.mark.inode { return noted }
        return try notedNumbers(in: Store.aboveTops)[workspace.rootName] ?? InodeNumber.staging
    }

    /// The directory, of no number that there is, whose names are those of workspaces.
    static let aboveTops: UInt64 = 0
}

extension Store {
    /// Those directories of which numbers are noted that the base of no workspace has any more. They cost room and
    /// nothing else, since no number is given twice. The cost follows the number of directories.
    func goneDirectoriesWithNumbers() throws(StoreError) -> Set<UInt64> {
        var noted = try catalog.directoriesWithInodeNumbers()
        noted.remove(Store.aboveTops)
        for name in try workspaceNames() {
            let workspace = try workspace(name)
            guard let top = try baseRoot(of: workspace).tree else { continue }
            let number = try notedNumbers(in: Store.aboveTops)[workspace.rootName] ?? InodeNumber.staging
            var pending = [(tree: top, number: number)]
            while !noted.isEmpty, let directory = pending.popLast() {
                let numbers =
                    try noted.remove(directory.number) == nil ? [:] : notedNumbers(in: directory.number)
                try trees.forEachLeaf(of: directory.tree) { entries in
                    for entry in entries {
                        guard let tree = entry.tree else { continue }
                        let number =
                            numbers[entry.name] ?? InodeNumber.first(entry.name, in: directory.number)
                        pending.append((tree, number))
                    }
                }
            }
        }
        return noted
    }
}

extension Workspace {
    /// Its name as that of a file.
    var rootName: FileName { FileName(unchecked: Array(name.utf8)) }

    /// The number of something found in `upper/` as `name` in the directory with number `directory`.
    public func number(of found: UpperEntry, _ name: FileName, in directory: UInt64) -> UInt64 {
        // One that has several names has it in its mark: see `StagingTree.link`. How many links it has does not tell,
        // since a seal that was cut short gives it another.
        if let noted = found.mark.inode { return noted }
        guard overlay.canMark(found.isFile || found.isDirectory) else {
            return InodeNumber.backed(by: found.file.inode, generation: generation)
        }
        return InodeNumber.first(name, in: directory)
    }
}

/// Collects, while `upper/` is walked, what numbers the next base must note.
struct InodeNumbering {
    private let store: Store
    private let workspace: Workspace
    private(set) var changes: InodeNumberChanges = [:]
    /// Backing files with several names whose number one name has got.
    private var given: Set<UInt64> = []

    init(_ store: Store, _ workspace: Workspace) {
        self.store = store
        self.workspace = workspace
    }

    /// A directory of `upper/`: its number, and what the present base notes in it.
    struct Directory {
        let number: UInt64
        fileprivate let noted: [FileName: UInt64]
    }

    mutating func top(_ found: UpperEntry) throws(StoreError) -> Directory {
        let number = try store.topNumber(of: workspace, as: found)
        if found.mark.inode != nil { changes[Store.aboveTops, default: [:]][workspace.rootName] = number }
        return try directory(found, number)
    }

    func directory(_ found: UpperEntry, _ number: UInt64) throws(StoreError) -> Directory {
        // Nothing can be noted of a directory that the base does not have.
        let noted = try found.baseTree == nil ? [:] : store.notedNumbers(in: number)
        return Directory(number: number, noted: noted)
    }

    /// `name` is not in the next base.
    mutating func remove(_ name: FileName, from directory: Directory) {
        note(nil, name, directory)
    }

    /// What was found is in the next base under `name`, as something of its own if it had other names, too.
    ///
    /// - Returns: its number.
    mutating func add(_ found: UpperEntry, _ name: FileName, to directory: Directory) -> UInt64 {
        var number = workspace.number(of: found, name, in: directory.number)
        // One file was one number; it becomes as many files as it has names, and the first of them keeps it.
        if !found.isDirectory, found.file.linkCount > 1, !given.insert(found.file.inode).inserted {
            number = InodeNumber.random()
        }
        note(number == InodeNumber.first(name, in: directory.number) ? nil : number, name, directory)
        return number
    }

    /// What an earlier walk found of a directory in which nothing has changed since.
    mutating func takeOver(_ noted: [FileName: UInt64?], in directory: UInt64) {
        if !noted.isEmpty { changes[directory, default: [:]].merge(noted) { _, new in new } }
    }

    /// What another walk has found in other directories.
    mutating func add(_ other: InodeNumbering) {
        for (directory, names) in other.changes { takeOver(names, in: directory) }
    }

    private mutating func note(_ number: UInt64?, _ name: FileName, _ directory: Directory) {
        if directory.noted[name] == number { return }
        changes[directory.number, default: [:]].updateValue(number, forKey: name)
    }
}
