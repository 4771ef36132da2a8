internal import Glibc
public import Store
internal import SystemPackage

internal import class Foundation.Thread

/// Answers requests at `STORE/control.sock` while a daemon owns the store.
///
/// Each connection has a thread of its own, says one request and gets its answer. Only root and the store's
/// owner are answered.
public final class ControlServer: Sendable {
    private let engine: Engine
    private let state = Lock(State())

    private struct State: Sendable {
        var listener: Descriptor?
        var connections: [Int: Descriptor] = [:]
        var nextID = 0
        var isStopping = false
    }

    /// More connections at once than this are refused as busy.
    public static let connectionCountMax = 64
    /// How long a connection may be silent before it has said its request, or leave answers unread.
    static let silenceSecondsMax = 10

    public init(_ engine: Engine) {
        self.engine = engine
    }

    /// Begins to listen and returns; does nothing after ``stop()``. The store must be owned by this process.
    ///
    /// - Throws: ``StoreError`` of the system when the socket cannot be made.
    public func start() throws(StoreError) {
        let listener: Descriptor?
        do throws(Errno) {
            // With the lock held, so that no socket is made that `stop` does not know of.
            listener = try state.withLock { state throws(Errno) in
                if !state.isStopping { state.listener = try ControlSocket.listen(in: engine.storePath) }
                return state.listener
            }
        } catch {
            throw StoreError(
                error, doing: "listen for commands", subject: "\(engine.storePath)/\(ControlSocket.name)")
        }
        guard let listener else { return }
        ControlServer.startThread("firn-control") { self.acceptConnections(listener) }
    }

    /// The same where the disk may be full, which is no reason to give up a mount: then it begins as soon as there is
    /// room for the socket.
    ///
    /// - Parameter report: called with the error where it has to wait, and with nil when it has begun after all.
    public func startWhenThereIsRoom(
        report: @escaping @Sendable (StoreError?) -> Void
    ) throws(StoreError) {
        do throws(StoreError) { try start() } catch {
            guard [.noSpace, .diskQuotaExceeded].contains(error.errno) else { throw error }
            report(error)
            ControlServer.startThread("firn-control-start") { [self] in
                while !state.withLock({ $0.isStopping }) {
                    usleep(200_000)
                    // Whatever it is now, it may have gone the next time.
                    do throws(StoreError) { try start() } catch { continue }
                    return report(nil)
                }
            }
        }
    }

    /// Stops listening, waits for requests that are being performed, and removes the socket. The last thing to
    /// be done before the store is closed.
    public func stop() {
        let listener = state.withLock { state in
            state.isStopping = true
            // Those that have not said their request yet are at its end; the others go on.
            for connection in state.connections.values { ControlSocket.endReads(of: connection.fd) }
            return state.listener
        }
        if let listener { ControlSocket.end(listener.fd) }
        ControlSocket.remove(in: engine.storePath)
        // Each connection takes itself off the list when its request is answered; nothing signals the last one.
        while state.withLock({ !$0.connections.isEmpty }) { usleep(2_000) }
        state.withLock { $0.listener = nil }
    }

    private func acceptConnections(_ listener: Descriptor) {
        while true {
            guard let connection = ControlSocket.accept(listener.fd) else {
                if state.withLock({ $0.isStopping }) { return }
                // Out of descriptors, say: others may give some back.
                usleep(10_000)
                continue
            }
            let id = state.withLock { state -> Int? in
                guard !state.isStopping, state.connections.count < ControlServer.connectionCountMax else {
                    return nil
                }
                state.nextID += 1
                state.connections[state.nextID] = connection
                return state.nextID
            }
            guard let id else {
                let busy = StoreError(
                    .busy, "the daemon is ending, or has too many commands at once", hint: "try again")
                ControlServer.send(.failure(JSONValue(error: busy)), to: connection)
                continue
            }
            ControlServer.startThread("firn-control-\(id)") {
                self.serve(connection)
                _ = self.state.withLock { $0.connections.removeValue(forKey: id) }
            }
        }
    }

    private func serve(_ connection: Descriptor) {
        ControlSocket.limitWaits(of: connection.fd, seconds: ControlServer.silenceSecondsMax)
        let progress = ProgressReports { ControlServer.send($0, to: connection) }
        do throws(StoreError) {
            // Read in any case: an answer to who has not been heard out is lost with the connection.
            guard let (line, input) = try readRequest(connection) else { return }
            let caller = try admit(connection)
            let result = try engine.perform(
                try ControlRequest(line: line), caller: caller, input: input, progress: progress.progress)
            ControlServer.send(.result(result), to: connection)
        } catch {
            ControlServer.send(.failure(JSONValue(error: error)), to: connection)
        }
    }

    private func admit(_ connection: Descriptor) throws(StoreError) -> Caller {
        do throws(Errno) {
            let caller = try ControlSocket.peer(of: connection.fd)
            let owner = try Syscall.stat(at: AT_FDCWD, RawPath(engine.storePath)).st_uid
            guard caller.uid == 0 || caller.uid == owner || caller.uid == geteuid() else {
                throw Errno.permissionDenied
            }
            return caller
        } catch {
            throw StoreError(error, doing: "accept a command from this user", subject: engine.storePath)
        }
    }

    /// nil when the peer has gone without a word.
    private func readRequest(
        _ connection: Descriptor
    ) throws(StoreError) -> (line: [UInt8], input: Descriptor?)? {
        var reader = LineReader(connection.fd, byteCountMax: ControlRequest.byteCountMax)
        do throws(Errno) { return try reader.next().map { ($0, reader.descriptor) } } catch {
            guard error == .noBufferSpace else {
                throw StoreError(error, doing: "read the request", subject: "request")
            }
            throw StoreError(
                .invalidInput, "the request is longer than \(ControlRequest.byteCountMax) bytes",
                subject: "request", hint: "write long metadata to a file in staging/")
        }
    }

    /// A peer that went away, or does not listen, takes nothing from the work that it asked for: it is not told
    /// any more.
    private static func send(_ reply: ControlReply, to connection: Descriptor) {
        do throws(Errno) { try ControlSocket.send(connection.fd, Array((reply.line + "\n").utf8)) } catch {
            ControlSocket.end(connection.fd)
        }
    }

    private static func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        // Trees are walked recursively, and staging may be deep.
        thread.stackSize = ThreadStack.byteCount
        thread.name = name
        thread.start()
    }
}
