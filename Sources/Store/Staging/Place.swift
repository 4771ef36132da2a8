internal import Glibc
public import Objects
internal import SystemPackage

/// Where something lies in `upper/`: a directory's descriptor and a path below it that fits in one call.
///
/// The descriptor is that of `upper/` itself, or of a directory on the way, which is held open as long as the place is:
/// one that is at hand, or one where a path that is too long for the kernel is cut.
public struct Place: Sendable {
    let directory: Descriptor
    public let path: RawPath
    /// What leads to the directory, for messages; nil where they do without.
    private var above: RawPath?

    /// Leaves room for `/proc/self/fd/N/` in front, which calls on extended attributes need on older kernels.
    static let pathByteCountMax = RawPath.byteCountMax - 64

    /// - Throws: the system's error when a directory on a long way is not there.
    init(_ root: Descriptor, _ names: some Sequence<FileName>) throws(StoreError) {
        var directory = root
        var bytes: [UInt8] = []
        for name in names {
            if bytes.count + name.bytes.count + 1 > Place.pathByteCountMax {
                let here = RawPath(bytes)
                let from = directory
                directory = try system("open", here.display) { () throws(Errno) in
                    try Syscall.open(at: from.fd, here, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
                }
                bytes.removeAll(keepingCapacity: true)
            }
            if !bytes.isEmpty { bytes.append(UInt8(ascii: "/")) }
            bytes.append(contentsOf: name.bytes)
        }
        self.directory = directory
        path = bytes.isEmpty ? .here : RawPath(bytes)
    }

    public init(directory: Descriptor, path: RawPath) {
        self.directory = directory
        self.path = path
    }

    /// The directory at this place, held open: what is looked at in it is found without the way there.
    func opened() throws(Errno) -> Place {
        var here = Place(directory: try Syscall.openDirectoryAsHandle(self), path: .here)
        here.above = path
        return here
    }

    /// The place of `name` in the directory at this one.
    public func child(_ name: FileName) throws(StoreError) -> Place {
        if path.count + name.bytes.count + 1 <= Place.pathByteCountMax {
            var child = Place(directory: directory, path: path.appending(name))
            child.above = above
            return child
        }
        let inner = try system("open", path.display) { () throws(Errno) in
            try Syscall.open(at: directory.fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
        }
        return Place(directory: inner, path: RawPath(name))
    }

    public var fd: Int32 { directory.fd }

    public var display: String {
        guard let above else { return path.display }
        return path == .here ? above.display : "\(above.display)/\(path.display)"
    }

    /// Runs a call on the file or directory here, whatever its mode. An ordinary user's own may deny it even to its
    /// owner, who may change that: it is allowed for the time of the call.
    ///
    /// - Parameter bits: the owner's permissions that the call needs.
    func whateverMode<Result>(
        _ bits: mode_t = 0o400, _ call: () throws(Errno) -> Result
    ) throws(Errno) -> Result {
        do throws(Errno) { return try call() } catch {
            guard error == .permissionDenied else { throw error }
        }
        return try Place.modes.withLock { _ throws(Errno) in try allowing(bits, call) }
    }

    /// Opens the file or directory here for reading, whatever its mode. Waits where somebody has a lease on it: another
    /// thread for the moment in which it asks for the file's users, or another program until the kernel takes it away.
    func openWhateverMode(function: StaticString = #function) throws(Errno) -> Descriptor {
        try whateverMode { () throws(Errno) in
            do throws(Errno) {
                // Not to wait for a FIFO's writer, where one has taken the file's place.
                return try Syscall.open(at: fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, function: function)
            } catch {
                // There is a lease on it.
                guard error == .wouldBlock else { throw error }
            }
            let file = try Syscall.openAsHandle(self)
            let type = try Syscall.stat(file.fd).st_mode & S_IFMT
            guard type == S_IFREG else { throw .noSuchAddressOrDevice }
            return try Syscall.reopenForReading(file)
        }
    }

    /// One mode at a time is another for a moment. The lock is a leaf.
    private static let modes = Lock(())

    private func allowing<Result>(_ bits: mode_t, _ call: () throws(Errno) -> Result) throws(Errno) -> Result
    {
        let status = try Syscall.stat(at: fd, path)
        let type = status.st_mode & S_IFMT
        // A whiteout or a FIFO has taken the file's place. Root, who may open it, is told so.
        guard type == S_IFREG || type == S_IFDIR else { throw .noSuchAddressOrDevice }
        guard status.st_mode & bits != bits else { throw .permissionDenied }
        try Syscall.changeMode(at: fd, path, status.st_mode & 0o7777 | bits)
        let result: Swift.Result<Result, Errno>
        do throws(Errno) { result = .success(try call()) } catch { result = .failure(error) }
        try Syscall.changeMode(at: fd, path, status.st_mode & 0o7777)
        return try result.get()
    }
}

extension Workspace {
    /// Opens a staged file to read its bytes, as ``Place/openWhateverMode(function:)`` does.
    ///
    /// - Throws: ``StoreError`` with `ENXIO` where something that is no plain file has taken its place.
    func openForReading(_ place: Place) throws(StoreError) -> Descriptor {
        try system("open", place.display) { () throws(Errno) in
            let file = try place.openWhateverMode()
            guard try Syscall.stat(file.fd).st_mode & S_IFMT == S_IFREG else { throw .noSuchAddressOrDevice }
            return file
        }
    }
}
