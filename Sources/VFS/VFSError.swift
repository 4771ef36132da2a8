public import Store
public import SystemPackage

/// Why an operation on the mount failed.
///
/// The code is the system's own: an operation either fails as `man 2` says it may, or passes on what the backing
/// filesystem said, so a list of Firn's own would only repeat `errno(3)`.
public struct VFSError: Error, Sendable, CustomStringConvertible {
    public let code: Errno
    /// What went wrong, for the log; the kernel learns the code alone. Empty for what is everyday.
    public let message: String

    public init(_ code: Errno, _ message: String = "") {
        // The daemon's own limit on open files is not the caller's; to who calls it is the system's.
        self.code = code == .tooManyOpenFiles ? .tooManyOpenFilesInSystem : code
        self.message = message
    }

    /// What a failure of the store is to a program: a damaged object is an I/O error, for instance.
    public init(_ error: StoreError) {
        let code: Errno =
            switch error.code {
            case .system(let errno): errno
            case .damaged: .ioError
            case .busy, .filesOpen: .resourceBusy
            case .tagExists: .fileExists
            case .unknownVersion, .unknownPath, .unknownTag, .notAStore: .noSuchFileOrDirectory
            case .nothingToCommit: .noData
            case .ambiguousVersion, .invalidInput, .newerFormat, .alreadyAStore, .stagedChanges:
                .invalidArgument
            }
        self.init(code, error.description)
    }

    public var description: String { message.isEmpty ? "\(code)" : message }

    static let notFound = VFSError(.noSuchFileOrDirectory)
    static let exists = VFSError(.fileExists)
    static let readOnly = VFSError(.readOnlyFileSystem)
    static let stale = VFSError(.staleNFSFileHandle)
    static let notPermitted = VFSError(.notPermitted)
    static let notSupported = VFSError(.notSupported)
}

/// Runs a call into the store and turns its error into one of the mount.
func stored<Result>(_ body: () throws(StoreError) -> Result) throws(VFSError) -> Result {
    do throws(StoreError) { return try body() } catch { throw VFSError(error) }
}

/// Runs a system call and turns its error into one of the mount.
func called<Result>(_ body: () throws(Errno) -> Result) throws(VFSError) -> Result {
    do throws(Errno) { return try body() } catch { throw VFSError(error) }
}
