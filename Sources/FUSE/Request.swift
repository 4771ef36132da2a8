internal import CFuse
internal import CFuse3
internal import Glibc
internal import Objects
internal import Store
internal import VFS

/// One request of the kernel, to be answered exactly once, from any thread.
struct Request: @unchecked Sendable {
    // Sendable because libfuse lets any thread answer, and only the holder of the request does.
    let pointer: fuse_req_t
    let session: Session

    /// - Parameter pointer: nil never comes; C cannot say so.
    init?(_ pointer: fuse_req_t?) {
        guard let pointer, let owner = firn_channel_owner(fuse_req_userdata(pointer)),
            let session = Unmanaged<Session.SessionReference>.fromOpaque(owner).takeUnretainedValue().session
        else {
            if let pointer { fuse_reply_err(pointer, EIO) }
            return nil
        }
        self.pointer = pointer
        self.session = session
    }

    var fileSystem: FileSystem { session.fileSystem }

    /// To be asked on the thread that received the request.
    var caller: Caller {
        guard let context = fuse_req_ctx(pointer) else { preconditionFailure("every request has a context") }
        let who = context.pointee
        return Caller(
            uid: who.uid, gid: who.gid, pid: who.pid, umask: UInt16(truncatingIfNeeded: who.umask & 0o777),
            request: firn_request_number(), isRepeated: firn_request_is_repeated() != 0)
    }

    /// Answers on this thread.
    func answer(_ operation: StaticString, _ body: (Reply) throws(VFSError) -> Void) {
        Reply.run(self, operation, body)
    }

    /// Answers on a thread that may wait: for work that copies or syncs, and for any change while a seal holds
    /// changes up, so that reads go on.
    func answerSlowly(
        _ operation: StaticString, _ body: @escaping @Sendable (Reply) throws(VFSError) -> Void
    ) {
        session.workers.run { Reply.run(self, operation, body) }
    }

    /// Answers a change: here, or where waiting is allowed if it would have to wait.
    func answerChange(
        _ operation: StaticString, isSlow: Bool = false,
        _ body: @escaping @Sendable (Reply) throws(VFSError) -> Void
    ) {
        if isSlow || fileSystem.isHeld {
            answerSlowly(operation, body)
        } else {
            answer(operation, body)
        }
    }
}

extension FileName {
    /// A name as the kernel sends it: it has checked that it is one.
    init(_ name: UnsafePointer<CChar>) {
        self.init(unchecked: [UInt8](name))
    }
}

extension [UInt8] {
    /// The bytes of a C string, without its NUL.
    init(_ string: UnsafePointer<CChar>) {
        self = UnsafeRawBufferPointer(start: string, count: strlen(string)).map { $0 }
    }
}
