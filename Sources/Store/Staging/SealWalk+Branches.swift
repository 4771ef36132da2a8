internal import Glibc
internal import Objects
internal import SystemPackage

// The way of a walk through the tree, and walks beside each other.
extension SealWalk {
    /// A directory of `upper/`, and all below it.
    struct Branch: Sendable {
        let found: UpperEntry
        let place: Place
        let path: TreePath
        let directory: InodeNumbering.Directory

        var name: FileName { path.names.last ?? .root }
    }

    /// So many directories beside each other are walked on all cores.
    static let parallelBranchCountMin = 8

    /// Walks all directories of a level, ahead, on all cores.
    private mutating func walkBranches(of level: inout Level) throws(StoreError) {
        let branches = level.branches
        level.branches = []
        // Neighbours together, and more groups than cores, since some take longer.
        let groupSize = max(1, branches.count / (8 * Parallel.coreCount))
        let groups = stride(from: 0, to: branches.count, by: groupSize).map {
            Array(branches[$0..<min($0 + groupSize, branches.count)])
        }
        // An entry is nil where something of the directory was left out, and a group is whole if all of it could be opened.
        typealias Found = (walk: SealWalk, entries: [(name: FileName, entry: TreeEntry?)], isWhole: Bool)
        // By group, so that the order does not depend on which is done first.
        let found = Lock([Int: Found]())
        let empty = branch()
        try Parallel.forEach(Array(groups.enumerated())) { (index, group) throws(StoreError) in
            var result: Found = (empty, [], true)
            for branch in group {
                do throws(StoreError) {
                    let entry = try result.walk.walk(from: branch)
                    result.entries.append((branch.name, entry))
                } catch {
                    // Gone, replaced or not to be read just now: see `visit`.
                    result.isWhole = false
                }
            }
            found.withLock { [result] in $0[index] = result }
        }
        for (_, result) in found.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            add(result.walk)
            if !result.isWhole { level.leaveOut() }
            for (name, entry) in result.entries {
                level.part.directories.append(name)
                level.take(entry)
            }
        }
    }

    /// - Returns: nil where something was left out.
    mutating func walk(from top: Branch) throws(StoreError) -> TreeEntry? {
        // Not by recursion: the depth of a tree is the user's.
        var level = try open(top, depth: 0)
        var above: [Level] = []
        while true {
            if let name = level.names.popLast() {
                try visit(name, in: &level)
                continue
            }
            if isAhead, !isBranch, level.branches.count >= SealWalk.parallelBranchCountMin {
                try walkBranches(of: &level)
                continue
            }
            if let branch = level.branches.popLast() {
                guard let inner = try openInner(branch, in: &level, depth: above.count + 1) else { continue }
                above.append(level)
                level = inner
                continue
            }
            let entry = try close(&level)
            guard var outer = above.popLast() else { return entry }
            outer.take(entry)
            level = outer
        }
    }

    /// How deep in the tree directories are held open on the way to where the walk is.
    private static let openDepthMax = 64

    mutating func open(_ branch: Branch, depth: Int) throws(StoreError) -> Level {
        let (found, place, path, directory) = (branch.found, branch.place, branch.path, branch.directory)
        // Without a descriptor to spare it is found by the way there, and what is wrong with it shows then.
        let opened = depth < SealWalk.openDepthMax ? try? place.opened() : nil
        let here = opened ?? place
        let status = DigestCache.Key(found.status)
        if !isAhead, var part = parts[path], part.status == status, part.directory.number == directory.number
        {
            let names = part.directories
            // They are counted and listed again.
            part.count -= names.count
            part.directories = []
            numbering.takeOver(part.noted, in: directory.number)
            return Level(
                found: found, place: place, here: here, path: path, directory: directory,
                keptBefore: kept.count, names: names, part: part, isTakenOver: true,
                isUnchanged: part.entry != nil)
        }
        let names = try system("list", place.display) { () throws(Errno) in
            // Ahead, another directory may have got its name since it was found.
            if isAhead, try Syscall.stat(at: here.fd, here.path).st_ino != found.status.st_ino {
                throw .noSuchFileOrDirectory
            }
            return try Syscall.names(at: here.fd, here.path)
        }
        var level = Level(
            found: found, place: place, here: here, path: path, directory: directory, keptBefore: kept.count,
            names: names, part: SealPart(place: place, status: status, directory: directory))
        // What is found by a path, ahead, may be another directory's for a moment.
        if isAhead, opened == nil { level.leaveOut() }
        return level
    }

    /// The level of a directory to be walked next; nil where it is left out.
    private mutating func openInner(
        _ branch: Branch, in level: inout Level, depth: Int
    ) throws(StoreError) -> Level? {
        do throws(StoreError) {
            let inner = try open(branch, depth: depth)
            level.part.directories.append(branch.name)
            return inner
        } catch {
            // As in `visit`.
            guard isAhead else { throw error }
            level.leaveOut()
            return nil
        }
    }

    /// Takes over what another walk has found beside this one, ahead.
    private mutating func add(_ other: SealWalk) {
        editor.add(other.editor)
        parts.merge(other.parts) { first, _ in first }
        numbering.add(other.numbering)
        changedCount += other.changedCount
        for file in other.unhashed where unhashedInodes.insert(UInt64(file.status.st_ino)).inserted {
            unhashed.append(file)
        }
    }

    /// A walk ahead over a part of the tree, for ``add(_:)``.
    private func branch() -> SealWalk {
        var walk = SealWalk(workspace, store, openFiles, isAhead: true, trustsNotes: trustsNotes)
        walk.isBranch = true
        walk.leavesOutUnhashed = leavesOutUnhashed
        return walk
    }
}
