public import Glibc

/// Stacks of threads that may walk a tree, which is done by recursion.
public enum ThreadStack {
    /// Enough for trees of some ten thousand levels. The system gives memory only to what is used of it.
    public static let byteCount = 256 << 20
}

/// Starts a thread that runs `body`, with a stack for walking trees; to be joined.
public func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body)).toOpaque()
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, ThreadStack.byteCount)
    let error = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, argument)
    guard error == 0 else { preconditionFailure("cannot start a thread: error \(error)") }
    return thread
}

/// Starts a thread that nobody waits for.
public func startDetachedThread(_ body: @escaping @Sendable () -> Void) { pthread_detach(startThread(body)) }
