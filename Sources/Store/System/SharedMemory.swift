internal import CLinux
internal import Glibc
public import SystemPackage

/// Memory without a name that outlives the process, as long as somebody has its descriptor open.
///
/// Pages are taken when they are first written to, so it may be made much larger than it will be.
public final class SharedMemory: @unchecked Sendable {
    // Sendable because it is constant; who shares the bytes orders the accesses to them.
    public let descriptor: Descriptor
    public let bytes: UnsafeMutableRawBufferPointer

    /// Makes memory that reads as zeros.
    public convenience init(creating name: String, byteCount: Int) throws(Errno) {
        let made = firn_memory_file(name)
        guard made >= 0 else { throw Errno(rawValue: errno) }
        let descriptor = Descriptor(made)
        try Syscall.truncate(descriptor.fd, to: off_t(byteCount))
        try self.init(mapping: descriptor, byteCount: byteCount)
    }

    /// Maps memory that another process has made.
    public init(mapping descriptor: Descriptor, byteCount: Int) throws(Errno) {
        guard let memory = firn_map_shared(descriptor.fd, byteCount) else { throw Errno(rawValue: errno) }
        self.descriptor = descriptor
        bytes = UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
    }

    deinit { firn_unmap(bytes.baseAddress, bytes.count) }

    /// Stores a number at a multiple of 8 bytes, so that who sees it sees everything written before.
    public func publish(_ value: UInt64, at offset: Int) {
        precondition(offset >= 0 && offset % 8 == 0 && offset + 8 <= bytes.count, "within the memory")
        firn_publish((bytes.baseAddress! + offset).assumingMemoryBound(to: UInt64.self), value)
    }

    /// Gives a range of it back; it reads as zeros.
    public func discard(_ range: Range<Int>) {
        // A range that cannot be given back only goes on taking memory.
        _ = firn_punch_hole(descriptor.fd, range.lowerBound, range.count)
    }
}
