public import Glibc
internal import SystemPackage

/// Stacks of threads that may walk a tree, which is done by recursion.
public enum ThreadStack {
    /// Enough for trees of some ten thousand levels. The system gives memory only to what is used of it.
    public static let byteCount = 256 << 20
}

/// Starts a thread that runs `body`, with a stack for walking trees; to be joined.
public func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    switch tryStartThread(stackByteCount: ThreadStack.byteCount, body) {
    case .success(let thread): return thread
    case .failure(let error): preconditionFailure("cannot start a thread: \(error)")
    }
}

/// Starts one for work that can be left.
///
/// - Returns: the system's error where it allows no more threads or has no memory for one.
func tryStartThread(
    stackByteCount: Int, _ body: @escaping @Sendable () -> Void
) -> Result<pthread_t, Errno> {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackByteCount)
    let error = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, argument.toOpaque())
    guard error == 0 else {
        argument.release()
        return .failure(Errno(rawValue: error))
    }
    return .success(thread)
}

/// Runs something short on a thread of its own, for which nobody waits; where the system allows no more threads, here.
public func runAside(_ body: @escaping @Sendable () -> Void) {
    switch tryStartThread(stackByteCount: 1 << 18, body) {
    case .success(let thread): pthread_detach(thread)
    case .failure: body()
    }
}

/// Starts a thread that nobody waits for.
public func startDetachedThread(_ body: @escaping @Sendable () -> Void) { pthread_detach(startThread(body)) }
