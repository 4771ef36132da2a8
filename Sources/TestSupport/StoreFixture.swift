public import Objects
public import Store
internal import SystemPackage

/// A store of its own in a directory of its own, with a workspace and a clock; gone when the test is done.
///
///     let fixture = try StoreFixture(["a/b.bin": Array("bytes".utf8)])
///     let version = try fixture.commit("first")
public final class StoreFixture {
    /// For what belongs to the test; made when it is first asked for.
    public private(set) lazy var directory = TestDirectory()
    public let clock = TestClock()
    public let faults = FaultPlan()
    private var opened: (store: Store, workspace: Workspace)?

    /// The store's directory.
    public let path: String

    /// Makes a store and stages `files`, by path.
    ///
    /// - Parameter path: where the store is to be; in a directory of its own where none is given.
    public init(_ files: [TreePath: [UInt8]] = [:], at path: String? = nil) throws {
        if let path {
            self.path = path
        } else {
            let directory = TestDirectory()
            self.path = directory.appending("store")
            self.directory = directory
        }
        try Store.create(at: self.path, now: clock.now())
        try open()
        for (path, bytes) in files.sorted(by: { $0.key < $1.key }) { try write(path, bytes) }
    }

    /// Opens a store that is there, as after a crash of its owner.
    public convenience init(opening path: String) throws { try self.init(at: path, opens: true) }

    /// - Parameter opens: false where opening is what is to be tested.
    public init(at path: String, opens: Bool) throws {
        self.path = path
        if opens { try open() }
    }

    /// A copy of the store's directory as it is at this moment: what a process that is killed now leaves.
    public func snapshot() throws -> String {
        let copy = directory.appending("snapshot-\(UInt32.random(in: 0 ... .max))")
        let outcome = try Shell.run("/bin/cp", "-a", path, copy)
        guard outcome.status == 0 else { throw Errno.ioError }
        return copy
    }

    public var store: Store {
        guard let opened else { preconditionFailure("the store is closed") }
        return opened.store
    }

    public var workspace: Workspace {
        guard let opened else { preconditionFailure("the store is closed") }
        return opened.workspace
    }

    public func open() throws {
        let clock = clock
        let store = try Store.open(at: path, .owning, now: { clock.now() })
        opened = (store, try store.workspace())
    }

    /// As at the end of the process that owned it.
    public func close() throws {
        try opened?.store.close()
        opened = nil
    }

    /// As after the end of the process, by crash or not, and a new start.
    public func reopen() throws {
        try close()
        try open()
    }

    /// Another view of the store, as of a process that only reads.
    public func reader() throws -> Store { try Store.open(at: path, .reading) }

    /// Seals what is staged, with the faults that are planned.
    @discardableResult
    public func commit(
        _ message: String = "", _ configure: (inout CommitRequest) -> Void = { _ in }
    ) throws -> Version {
        try commitOutcome(message, configure).version
    }

    public func commitOutcome(
        _ message: String = "", _ configure: (inout CommitRequest) -> Void = { _ in }
    ) throws -> CommitOutcome {
        var request = CommitRequest()
        request.message = message
        configure(&request)
        return try faults.during { try store.commit(workspace, request) }
    }

    // MARK: Looking

    /// Everything below the root of a version, by path.
    public func entries(of version: Version) throws -> [TreePath: TreeEntry] {
        var entries: [TreePath: TreeEntry] = [:]
        guard let tree = version.manifest.root.tree else { return [:] }
        try store.trees.walk(tree) { path, entry in entries[path] = entry }
        return entries
    }

    /// The paths of a version, in order, as text.
    public func paths(of version: Version) throws -> [String] {
        try entries(of: version).keys.sorted().map(\.display)
    }

    /// The bytes of a file of a version.
    public func bytes(_ path: TreePath, of version: Version) throws -> [UInt8] {
        let entry = try store.entry(at: path, of: version)
        guard let blob = entry.blob else { preconditionFailure("\(path.display) is not a file") }
        let file = try store.blobs.open(blob)
        var bytes = [UInt8](repeating: 0, count: Int(entry.size) + 1)
        let count = try bytes.withUnsafeMutableBytes { buffer in
            try Syscall.read(file.fd, into: buffer, at: 0)
        }
        return Array(bytes.prefix(count))
    }

    /// Every file below a directory of the store, relative to it.
    public func files(below name: String) throws -> [String] {
        let found = try Shell.run("/usr/bin/find", appending(name), "-type", "f", "-printf", "%P\\n")
        return found.text.split(separator: "\n").map { String($0) }.sorted()
    }

    public func appending(_ name: String) -> String { "\(path)/\(name)" }
}
