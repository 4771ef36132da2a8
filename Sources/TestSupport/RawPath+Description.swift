public import Store

extension RawPath: CustomStringConvertible {
    /// On one line, and short.
    public var description: String {
        let long = String(repeating: "n", count: 255)
        return display.replacing(long, with: "n(255)").replacing("\n", with: "\\n")
    }
}
