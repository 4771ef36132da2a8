internal import Store
internal import SystemPackage

/// Open files, by the number the kernel gives back with each request.
final class HandleTable<Handle: AnyObject & Sendable>: Sendable {
    private struct State {
        var handles: [UInt64: Handle] = [:]
        var next: UInt64 = 1
    }

    private let state = Lock(State())

    var count: Int { state.withLock { $0.handles.count } }

    var all: [Handle] { state.withLock { Array($0.handles.values) } }

    func add(_ handle: Handle) -> HandleID {
        state.withLock { state in
            defer { state.next += 1 }
            state.handles[state.next] = handle
            return HandleID(state.next)
        }
    }

    /// Puts a handle back at the number it had.
    func restore(_ handle: Handle, at id: HandleID) {
        state.withLock { $0.handles[id.value] = handle }
    }

    /// Numbers from `next` on have not been given.
    func resume(from next: UInt64) {
        state.withLock { $0.next = max($0.next, next) }
    }

    func find(_ id: HandleID) throws(VFSError) -> Handle {
        guard let handle = state.withLock({ $0.handles[id.value] }) else {
            throw VFSError(.badFileDescriptor)
        }
        return handle
    }

    func remove(_ id: HandleID) -> Handle? { state.withLock { $0.handles.removeValue(forKey: id.value) } }
}
