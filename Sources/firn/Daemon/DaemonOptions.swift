import Control

/// What a daemon is to mount, and how.
struct DaemonOptions: Hashable, Sendable {
    var store: String
    var mountpoint: String
    var allowOther: Bool
    var readOnly: Bool
    var passthrough: PassthroughChoice
}
