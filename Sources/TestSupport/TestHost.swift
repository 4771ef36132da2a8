internal import Glibc

/// What the machine that runs the tests lets them do.
public enum TestHost {
    /// Only root can mount, make devices and give files away.
    public static var isRoot: Bool { geteuid() == 0 }
}
