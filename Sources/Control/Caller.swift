internal import Foundation
internal import Glibc

/// Who asks for something: the process at the other end of a socket or of a FUSE request, or this one.
public struct Caller: Hashable, Sendable {
    public let uid: UInt32
    public let gid: UInt32
    /// 0 where it is not known.
    public let pid: Int32

    public init(uid: UInt32, gid: UInt32, pid: Int32 = 0) {
        self.uid = uid
        self.gid = gid
        self.pid = pid
    }

    /// This process.
    public static var current: Caller { Caller(uid: getuid(), gid: getgid(), pid: getpid()) }

    /// `user@host`: the author of what the caller commits. A user without a name is its number.
    public var author: String { "\(userName ?? String(uid))@\(Caller.hostName)" }

    private var userName: String? {
        var buffer = [CChar](repeating: 0, count: 16_384)
        var record = passwd()
        var found: UnsafeMutablePointer<passwd>?
        guard getpwuid_r(uid, &record, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        return String(validatingCString: record.pw_name)
    }

    private static let hostName: String = {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }()
}
