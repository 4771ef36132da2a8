internal import Glibc
public import Store
internal import SystemPackage

/// Asks the daemon that owns a store.
public enum ControlClient {
    /// Has the daemon of the store at `storePath` perform `request`, and waits for the end.
    ///
    /// - Parameters:
    ///   - input: the open file that the request speaks of: the daemon gets a descriptor of it.
    ///   - progress: told what the daemon says of its progress.
    /// - Returns: the result; nil when no daemon runs there.
    /// - Throws: ``StoreError``: the daemon's own refusal, or the system's for a daemon that cannot be asked.
    public static func perform(
        _ request: ControlRequest, at storePath: String, input: Descriptor? = nil, progress: Progress = .none
    ) throws(StoreError) -> JSONValue? {
        let line = request.line + "\n"
        guard line.utf8.count <= ControlRequest.byteCountMax else {
            throw StoreError(
                .invalidInput, "the request has \(line.utf8.count) bytes, more than a daemon takes",
                subject: request.verb, hint: "write long metadata to a file in staging/")
        }
        guard let connection = try connect(storePath) else { return nil }
        do throws(Errno) { try ControlSocket.send(connection.fd, Array(line.utf8), with: input) } catch {
            // It may have refused before it read everything; then its answer is there to be read.
            guard error == .brokenPipe || error == .connectionReset else {
                throw StoreError(error, doing: "ask the daemon", subject: storePath)
            }
        }
        return try readReplies(connection, storePath, progress)
    }

    private static func connect(_ storePath: String) throws(StoreError) -> Descriptor? {
        do throws(Errno) { return try ControlSocket.connect(to: storePath) } catch {
            switch error {
            case .noSuchFileOrDirectory, .connectionRefused: return nil
            case .permissionDenied:
                throw StoreError(
                    .system(error), "the store belongs to another user, who alone may change it",
                    subject: storePath,
                    hint: "run as that user or as root; in the mount, .firn/commit takes commits as JSON")
            default: throw StoreError(error, doing: "ask the daemon", subject: storePath)
            }
        }
    }

    private static func readReplies(
        _ connection: Descriptor, _ storePath: String, _ progress: Progress
    ) throws(StoreError) -> JSONValue {
        // A long list of forgotten versions is an answer of some size.
        var reader = LineReader(connection.fd, byteCountMax: 64 << 20)
        var shown = ShownProgress(progress)
        while true {
            let line: [UInt8]?
            do throws(Errno) { line = try reader.next() } catch {
                throw StoreError(error, doing: "read the daemon's answer", subject: storePath)
            }
            guard let line else {
                throw StoreError(
                    .system(.connectionReset), "the daemon ended before it answered", subject: storePath,
                    hint: "its log is \(storePath)/firn.log; firn status shows what was committed")
            }
            switch try ControlReply(line: line) {
            case .progress(let phase, let done, let total): shown.update(phase, done, total)
            case .result(let value): return value
            case .failure(let error): throw error.storeError
            }
        }
    }

    /// Turns totals, which arrive, into advances, which ``Progress`` takes.
    private struct ShownProgress {
        let progress: Progress
        var phase: String?
        var done: UInt64 = 0

        init(_ progress: Progress) {
            self.progress = progress
        }

        mutating func update(_ phase: String, _ done: UInt64, _ total: UInt64) {
            if phase != self.phase || done < self.done {
                progress.begin(phase, total: total)
                self.phase = phase
                self.done = 0
            }
            if done > self.done { progress.advance(done - self.done) }
            self.done = done
        }
    }
}
