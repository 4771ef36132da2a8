internal import Glibc
public import Objects
internal import SystemPackage

/// The system calls Firn makes, each as one thin function: same name, same meaning, `Errno` thrown instead of
/// -1 returned, EINTR retried. Nothing else in Store touches `errno`.
/// The calls are in the files beside this one, by what they are about.
public enum Syscall {
    /// A call that changes what is on a disk. All of them are made through here, so that each is a point at which
    /// tests can have it fail, or end the process.
    static func changing<Result: SignedInteger>(
        _ verb: FaultPoint.Verb, _ function: StaticString, _ call: () -> Result
    ) throws(Errno) -> Result {
        try FaultHook.reach(verb, function)
        return try check(call)
    }

    static func check<Result: SignedInteger>(_ call: () -> Result) throws(Errno) -> Result {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { throw Errno(rawValue: errno) }
        }
    }
}

/// A time to set: the current one, by the kernel's clock, or a given one.
public enum TimeChange: Hashable, Sendable {
    case now
    case at(Timestamp)
}
