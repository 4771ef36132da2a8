internal import Objects
internal import Store

/// All nodes, by number and by place.
///
/// A node is in the table while the kernel holds a lookup of it or of a ``Member``, or while a node below it is in the
/// table: a child must be able to say where it is. Members are counted, and not kept. One short lock guards all of it, the last in the lock order.
final class NodeTable: Sendable {
    private struct State {
        var nodes: [NodeID: Node] = [:]
        var nextID: UInt64 = NodeID.root.value + 1
        /// The number that a node has had before, for the next one that is made.
        var restoredID: NodeID?

        mutating func takeID() -> NodeID {
            if let id = restoredID {
                restoredID = nil
                return id
            }
            defer { nextID += 1 }
            return NodeID(nextID)
        }

        /// Takes `node` out when nothing needs it, and then the directories above it that only it needed.
        static func drop(_ node: Node, _ state: inout State) {
            var current = node
            while current.lookups == 0, current.memberLookups == 0, current.children.isEmpty {
                state.nodes[current.id] = nil
                let links = current.links
                for link in links where link.parent.children[link.name] === current {
                    link.parent.children[link.name] = nil
                }
                guard let parent = links.first?.parent else { return }
                // Other parents of a hard link keep it from being theirs alone; they are dropped with their own.
                for link in links.dropFirst() { drop(link.parent, &state) }
                current = parent
            }
        }
    }

    private let state = Lock(State())
    /// Where the nodes that the kernel knows are noted; nil where nobody would read it.
    private let record: MountRecord?

    init(record: MountRecord? = nil) {
        self.record = record
    }

    var count: Int { state.withLock { $0.nodes.count } }

    /// Gives up room that it needed once.
    func shrink() {
        state.withLock {
            guard $0.nodes.capacity > 4 * $0.nodes.count + 1024 else { return }
            $0.nodes = Dictionary(uniqueKeysWithValues: $0.nodes.lazy.map { ($0.key, $0.value) })
        }
    }

    /// A number that no node has had.
    func newID() -> NodeID {
        state.withLock { $0.takeID() }
    }

    /// Adds a node that stays: the root and the directories Firn makes up.
    func addPermanent(_ node: Node, below parent: Node?, as name: FileName) {
        state.withLock {
            // More lookups than the kernel ever gives back, also of those that another daemon has answered.
            node.lookups = .max / 2
            $0.nodes[node.id] = node
            guard let parent else { return }
            node.links = [NodeLink(parent: parent, name: name)]
            parent.children[name] = node
        }
    }

    func node(_ id: NodeID) -> Node? { state.withLock { $0.nodes[id] } }

    /// The child of that name, if the table has it.
    func child(_ parent: Node, _ name: FileName) -> Node? { state.withLock { _ in parent.children[name] } }

    /// All children the table has.
    func children(_ parent: Node) -> [FileName: Node] { state.withLock { _ in parent.children } }

    /// Those of some nodes that are in the table and have names, by the directory that holds them.
    func places(of ids: [NodeID]) -> [NodeID: [(name: FileName, node: Node)]] {
        state.withLock { state in
            var places: [NodeID: [(name: FileName, node: Node)]] = [:]
            for id in ids {
                guard let node = state.nodes[id] else { continue }
                for link in node.links { places[link.parent.id, default: []].append((link.name, node)) }
            }
            return places
        }
    }

    /// Adds `make()` as a child unless another thread was first; returns the one that is there.
    func child(_ parent: Node, _ name: FileName, orAdd make: (NodeID) -> Node) -> Node {
        state.withLock {
            if let present = parent.children[name] { return present }
            let node = make($0.takeID())
            $0.nodes[node.id] = node
            node.links = [NodeLink(parent: parent, name: name)]
            parent.children[name] = node
            return node
        }
    }

    /// A node without a name: of `O_TMPFILE`.
    func addNameless(_ make: (NodeID) -> Node) -> Node {
        state.withLock {
            let node = make($0.takeID())
            $0.nodes[node.id] = node
            return node
        }
    }

    // MARK: The kernel's lookups

    /// - Returns: false where the node left the table between being found and now, and another has taken its place:
    ///   one file must not have two.
    func retain(_ node: Node) -> Bool {
        state.withLock {
            let kept = node.holder ?? node
            if $0.nodes[kept.id] == nil {
                if kept.links.contains(where: { $0.parent.children[$0.name] != nil }) { return false }
                $0.nodes[kept.id] = kept
                for link in kept.links { link.parent.children[link.name] = kept }
            }
            if kept !== node {
                kept.memberLookups += 1
                return true
            }
            if node.lookups == 0 { note(node) }
            node.lookups += 1
            return true
        }
    }

    private func note(_ node: Node) {
        guard let record else { return }
        for link in node.links { record.append(.named(node, in: link.parent, link.name)) }
        if node.links.isEmpty { record.append(.nameless(node.id, inode: node.inode)) }
    }

    func release(_ id: NodeID, count: UInt64) {
        let released = state.withLock { state -> Node? in
            if let member = Member(id) {
                guard let directory = state.nodes[member.directory] else { return nil }
                // Those of before a takeover were not counted.
                directory.memberLookups -= min(count, directory.memberLookups)
                State.drop(directory, &state)
                return directory
            }
            guard let node = state.nodes[id], node.lookups > 0 else { return nil }
            node.lookups -= min(count, node.lookups)
            if node.lookups == 0 { record?.append(.dropped(id)) }
            State.drop(node, &state)
            return node
        }
        // Its end may close a file.
        withExtendedLifetime(released) {}
    }

    /// Drops nodes that were made for a moment and that nobody looked up.
    func dropIfUnused(_ node: Node) {
        state.withLock { State.drop(node, &$0) }
    }

    // MARK: Names

    /// The names of `node` from the top of its tree down, by its first link; nil where it has none any more.
    ///
    /// - Parameter top: the directory the names are relative to.
    func path(_ node: Node, below top: Node) -> [FileName]? {
        state.withLock { _ in
            var names: [FileName] = []
            var current = node
            while current !== top {
                guard let link = current.links.first else { return nil }
                names.append(link.name)
                current = link.parent
            }
            names.reverse()
            return names
        }
    }

    func isLinked(_ node: Node) -> Bool { state.withLock { _ in !node.links.isEmpty } }

    func links(_ node: Node) -> [NodeLink] { state.withLock { _ in node.links } }

    func addLink(_ node: Node, _ parent: Node, _ name: FileName) {
        state.withLock { _ in
            node.links.append(NodeLink(parent: parent, name: name))
            parent.children[name] = node
            if node.lookups > 0 { record?.append(.named(node, in: parent, name)) }
        }
    }

    func removeLink(_ parent: Node, _ name: FileName) {
        state.withLock {
            guard let node = parent.children.removeValue(forKey: name) else { return }
            node.links.removeAll { $0.parent === parent && $0.name == name }
            if node.lookups > 0 { record?.append(.unnamed(parent: parent.id, name)) }
            State.drop(node, &$0)
            State.drop(parent, &$0)
        }
    }

    /// To be called before names are exchanged or moved on disk: who finds the record end there looks.
    func willMove(
        _ parent: Node, _ name: FileName, to newParent: Node, _ newName: FileName, request: UInt64
    ) {
        guard let record else { return }
        state.withLock { _ in
            guard let node = parent.children[name] else { return }
            record.append(.moving(RecordedMove(node, parent, name, newParent, newName, request)))
        }
    }

    /// Makes the node at one place the node at another; whatever was there loses that name.
    func move(
        _ parent: Node, _ name: FileName, to newParent: Node, _ newName: FileName, request: UInt64
    ) {
        state.withLock {
            guard let node = parent.children.removeValue(forKey: name) else { return }
            if let replaced = newParent.children[newName] {
                replaced.links.removeAll { $0.parent === newParent && $0.name == newName }
                State.drop(replaced, &$0)
            }
            node.links.removeAll { $0.parent === parent && $0.name == name }
            node.links.append(NodeLink(parent: newParent, name: newName))
            newParent.children[newName] = node
            record?.append(.moved(RecordedMove(node, parent, name, newParent, newName, request)))
            State.drop(parent, &$0)
        }
    }

    func exchange(
        _ parent: Node, _ name: FileName, with other: Node, _ otherName: FileName, request: UInt64
    ) {
        state.withLock { _ in
            guard let first = parent.children[name], let second = other.children[otherName] else { return }
            first.links.removeAll { $0.parent === parent && $0.name == name }
            second.links.removeAll { $0.parent === other && $0.name == otherName }
            first.links.append(NodeLink(parent: other, name: otherName))
            second.links.append(NodeLink(parent: parent, name: name))
            parent.children[name] = second
            other.children[otherName] = first
            record?.append(.exchanged(RecordedMove(first, parent, name, other, otherName, request)))
        }
    }

    // MARK: Going on where another daemon ended

    /// Numbers from `next` on have not been given.
    func resume(from next: UInt64) {
        state.withLock { $0.nextID = max($0.nextID, next) }
    }

    /// Runs `make`; the first node it makes gets the number `id`, which the kernel knows. One thread at a time.
    ///
    /// - Returns: what `make` returns.
    func restoring(_ id: NodeID, _ make: () throws(VFSError) -> Node?) throws(VFSError) -> Node? {
        state.withLock { $0.restoredID = id }
        defer { state.withLock { $0.restoredID = nil } }
        let node = try make()
        if let node, node.id == id {
            // How often it was looked up is not known. The kernel gives all back at once, and more than is counted
            // is nothing left.
            state.withLock { _ in node.lookups = max(1, node.lookups) }
        }
        return node
    }

    /// Takes a node out again that was found where the kernel knows another: it must not keep that one's number, nor
    /// be noted as gone, since the next daemon may have to find out the same.
    func takeBack(_ node: Node, ifItIs id: NodeID) {
        state.withLock {
            if node.id == id { node.lookups = 0 }
            State.drop(node, &$0)
        }
    }
}

extension RecordedChange {
    fileprivate static func named(_ node: Node, in parent: Node, _ name: FileName) -> RecordedChange {
        .named(node.id, inode: node.inode, parent: parent.id, name)
    }
}

extension RecordedMove {
    fileprivate init(
        _ node: Node, _ parent: Node, _ name: FileName, _ newParent: Node, _ newName: FileName,
        _ request: UInt64
    ) {
        self.init(
            parent: parent.id, name: name, newParent: newParent.id, newName: newName, inode: node.inode,
            request: request)
    }
}
