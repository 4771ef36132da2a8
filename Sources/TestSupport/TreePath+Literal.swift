public import Objects

extension TreePath: ExpressibleByStringLiteral {
    /// For paths written in a test.
    public init(stringLiteral text: String) {
        guard let path = try? TreePath(text.utf8) else { preconditionFailure("not a path: \(text)") }
        self = path
    }
}
