import SystemPackage

/// The error that `body` ends with; nil where it succeeds.
func failure(_ body: () throws(Errno) -> Void) -> Errno? {
    do throws(Errno) {
        try body()
        return nil
    } catch { return error }
}
