/// Stacks of threads that may walk a tree, which is done by recursion.
public enum ThreadStack {
    /// Enough for trees of some ten thousand levels. The system gives memory only to what is used of it.
    public static let byteCount = 256 << 20
}
