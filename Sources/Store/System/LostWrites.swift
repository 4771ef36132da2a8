internal import Glibc
public import SystemPackage

/// Whether bytes that were written may not have reached the disk, although they can still be read.
///
/// When writing back fails, the kernel tells once, to whoever syncs next, and keeps the pages as if they were on
/// the disk: a second sync finds nothing to write and succeeds. So a failed sync is remembered here. Until a commit
/// has written all that is staged anew, bytes are sealed only as fresh copies, which are synced themselves.
///
/// After an I/O error no commit is made until the store is opened anew: somebody should look at the disk.
public final class LostWrites: Sendable {
    /// In the store's directory. It need not be durable: after a restart of the machine the kernel has no pages
    /// left that the disk has not.
    static let markName = RawPath("unsynced")

    private struct State {
        var isMarked: Bool
        var refusal: Errno?
    }

    private let root: Descriptor
    private let state: Lock<State>

    /// - Parameter root: the store's directory.
    init(_ root: Descriptor) throws(Errno) {
        self.root = root
        state = Lock(
            State(isMarked: try Syscall.statIfPresent(at: root.fd, LostWrites.markName) != nil, refusal: nil))
    }

    /// Whether what is staged must be sealed by copying it.
    var mustCopy: Bool { state.withLock { $0.isMarked } }

    /// Runs a sync, and remembers when it says that something could not be written.
    public func watching<Result>(_ sync: () throws(Errno) -> Result) throws(Errno) -> Result {
        do throws(Errno) { return try sync() } catch {
            if LostWrites.isLoss(error) { note(error) }
            throw error
        }
    }

    /// Remembers it where bytes of an open file could not be written back and only its writer was told: by a write with
    /// O_SYNC, or an `msync`, of which the daemon hears nothing when the kernel writes to the file without asking.
    ///
    /// - Parameter file: opened before they were written. To be called when that is done.
    /// - Returns: what the kernel will not say again to who syncs by `file`; nil where all is well.
    public func noteUnwritten(_ file: Descriptor) -> Errno? {
        do throws(Errno) {
            try watching { () throws(Errno) in try Syscall.requireWrittenBack(file.fd) }
            return nil
        } catch { return error }
    }

    /// Whether a sync that failed with this has lost bytes.
    public static func isLoss(_ error: Errno) -> Bool {
        error == .ioError || error == .noSpace || error == .diskQuotaExceeded
    }

    private func note(_ error: Errno) {
        let isNew = state.withLock { state in
            defer { state.isMarked = true }
            if error == .ioError { state.refusal = error }
            return !state.isMarked
        }
        // Where the disk does not even take the mark, this process still knows.
        if isNew {
            _ = try? Syscall.open(at: root.fd, LostWrites.markName, O_WRONLY | O_CREAT, mode: 0o600)
        }
    }

    /// - Throws: ``StoreError`` after an I/O error.
    func requireNone() throws(StoreError) {
        guard let refusal = state.withLock({ $0.refusal }) else { return }
        throw StoreError(
            .system(refusal), "a sync failed, so what was written before may not be on the disk",
            subject: "staging",
            hint: "check the disk and the system's log, then unmount and mount again: the next commit writes "
                + "everything that is staged anew")
    }

    /// To be called when all that was staged has been sealed as fresh copies.
    func clear() {
        guard mustCopy else { return }
        // One that stays makes the next commit copy once more.
        guard (try? Syscall.unlink(at: root.fd, LostWrites.markName)) != nil else { return }
        state.withLock { $0.isMarked = false }
    }
}
