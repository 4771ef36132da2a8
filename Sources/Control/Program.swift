/// What this program is.
public enum Program {
    /// As `firn --version` prints it. See `CHANGELOG.md`.
    public static let version = "0.1.0"
}
