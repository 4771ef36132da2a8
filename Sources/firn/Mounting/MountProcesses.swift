import CLinux
import Glibc
import Store
import SystemPackage

/// The daemon of a mount, and above it its supervisor: as long as they are there they hold the store's disk.
struct MountProcesses {
    private let descriptors: [Descriptor]

    /// - Parameter daemon: who owns the store.
    init(of daemon: Int32) {
        var processes = [daemon]
        if let parent = MountProcesses.parent(of: daemon),
            let program = MountProcesses.program(of: daemon), program == MountProcesses.program(of: parent)
        {
            processes.append(parent)
        }
        // One that has ended by now, or may not be looked at, is not waited for.
        descriptors = processes.compactMap { process in
            let descriptor = firn_pidfd_open(process)
            return descriptor < 0 ? nil : Descriptor(descriptor)
        }
    }

    /// Waits until they have ended, which they are about to do.
    ///
    /// - Returns: whether they have.
    func waitForEnd() -> Bool { descriptors.allSatisfy { firn_wait_for_end($0.fd, 10_000) == 0 } }

    /// nil where it has ended, or may not be looked at.
    private static func parent(of process: Int32) -> Int32? {
        guard let text = try? SmallFile.read(RawPath("/proc/\(process)/status"), byteCountMax: 1 << 16),
            let line = String(decoding: text, as: UTF8.self).split(separator: "\n")
                .first(where: { $0.hasPrefix("PPid:") })
        else { return nil }
        return Int32(line.dropFirst(5).drop { $0.isWhitespace })
    }

    /// The same.
    private static func program(of process: Int32) -> [UInt8]? {
        try? Syscall.readSymlink(at: AT_FDCWD, RawPath("/proc/\(process)/exe"))
    }
}
