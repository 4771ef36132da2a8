internal import Objects
internal import SystemPackage

/// What a ``MountRecord`` amounts to: the nodes the kernel knows, and what it has open.
struct RecordedMount {
    struct Name: Hashable {
        let parent: NodeID
        let name: FileName
    }

    struct Node {
        var inode: UInt64
        /// The oldest first.
        var names: [Name] = []
    }

    struct File {
        let node: NodeID
        let mode: OpenMode
        let backing: Int32
        let request: UInt64
    }

    private(set) var nodes: [NodeID: Node] = [:]
    private(set) var names: [Name: NodeID] = [:]
    private(set) var files: [HandleID: File] = [:]
    /// The rename that had begun when the record ends, if one had.
    private(set) var unfinished: RecordedMove?
    /// The last renames that were carried out, by request: the kernel may not have had the answer.
    private(set) var moves: [RecordedChange] = []
    /// By request, the generation of staging that the last commits by `.firn/commit` began with.
    private(set) var commits: [UInt64: UInt64] = [:]
    /// Whether something other than the mount may have changed names of staging of which the kernel was not told.
    private(set) var isReplacing = false
    /// The kernel's numbers for files that it reads and writes itself, also of those that nobody has open.
    private(set) var backings: Set<Int32> = []
    var nextNode: UInt64 = 0
    var nextHandle: UInt64 = 1

    /// More than threads can be at between a rename and its answer.
    private static let movesMax = 256
    private static let commitsMax = 64

    /// - Throws: `.invalidArgument` for a log that makes no sense.
    init(reading log: UnsafeRawBufferPointer) throws(Errno) {
        var rest = log
        while !rest.isEmpty {
            let (change, length) = try RecordedChange.read(rest)
            apply(change)
            rest = UnsafeRawBufferPointer(rebasing: rest[length...])
        }
    }

    /// The shortest record of the same.
    var changes: [RecordedChange] {
        var changes = moves
        for (id, node) in nodes {
            if node.names.isEmpty { changes.append(.nameless(id, inode: node.inode)) }
            for name in node.names {
                changes.append(.named(id, inode: node.inode, parent: name.parent, name.name))
            }
        }
        for (handle, file) in files {
            changes.append(
                .opened(handle, file.node, file.mode, backing: file.backing, request: file.request))
        }
        for backing in backings.subtracting(files.values.map(\.backing)) {
            changes.append(.registered(backing: backing))
        }
        for (request, generation) in commits {
            changes.append(.committing(request: request, generation: generation))
        }
        if let unfinished { changes.append(.moving(unfinished)) }
        if isReplacing { changes.append(.replacing(true)) }
        return changes
    }

    /// The requests of ``moves``.
    var movers: Set<UInt64> {
        Set(
            moves.compactMap { change in
                switch change {
                case .moved(let move), .exchanged(let move): move.request
                default: nil
                }
            })
    }

    /// The unfinished rename was carried out after all.
    mutating func finish(isExchange: Bool) {
        guard let move = unfinished else { return }
        apply(isExchange ? .exchanged(move) : .moved(move))
    }

    private mutating func apply(_ change: RecordedChange) {
        switch change {
        case .named(let node, let inode, let parent, let name):
            add(Name(parent: parent, name: name), to: node, inode)
        case .nameless(let node, let inode): nodes[node, default: Node(inode: inode)].inode = inode
        case .unnamed(let parent, let name): _ = remove(Name(parent: parent, name: name))
        case .moving(let move): unfinished = move
        case .moved(let move):
            note(change)
            let moved = remove(Name(parent: move.parent, name: move.name))
            _ = remove(Name(parent: move.newParent, name: move.newName))
            if let moved { add(Name(parent: move.newParent, name: move.newName), to: moved, move.inode) }
        case .exchanged(let move):
            note(change)
            let (here, there) = (
                Name(parent: move.parent, name: move.name), Name(parent: move.newParent, name: move.newName)
            )
            let (first, second) = (remove(here), remove(there))
            if let first { add(there, to: first, nil) }
            if let second { add(here, to: second, nil) }
        case .dropped(let node): drop(node)
        case .opened(let handle, let node, let mode, let backing, let request):
            files[handle] = File(node: node, mode: mode, backing: backing, request: request)
            if backing != 0 { backings.insert(backing) }
        case .closed(let handle): files[handle] = nil
        case .replacing(let isReplacing): self.isReplacing = isReplacing
        case .registered(let backing): backings.insert(backing)
        case .released(let backing): backings.remove(backing)
        case .committing(let request, let generation):
            // A request that comes again began when it came first.
            if commits[request] == nil { commits[request] = generation }
            if commits.count > RecordedMount.commitsMax, let oldest = commits.keys.min() {
                commits[oldest] = nil
            }
        }
    }

    private mutating func note(_ move: RecordedChange) {
        unfinished = nil
        moves.append(move)
        if moves.count > RecordedMount.movesMax { moves.removeFirst() }
    }

    private mutating func add(_ name: Name, to node: NodeID, _ inode: UInt64?) {
        if let other = names[name], other != node { _ = remove(name) }
        names[name] = node
        if let inode, nodes[node] == nil { nodes[node] = Node(inode: inode) }
        if nodes[node]?.names.contains(name) == false { nodes[node]?.names.append(name) }
    }

    private mutating func remove(_ name: Name) -> NodeID? {
        guard let node = names.removeValue(forKey: name) else { return nil }
        nodes[node]?.names.removeAll { $0 == name }
        return node
    }

    private mutating func drop(_ node: NodeID) {
        guard let known = nodes.removeValue(forKey: node) else { return }
        for name in known.names where names[name] == node { names[name] = nil }
    }
}
