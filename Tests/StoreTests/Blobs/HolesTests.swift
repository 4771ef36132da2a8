import Glibc
import Objects
import SystemPackage
import TestSupport
import Testing

@testable import Store

@Suite struct HolesTests {
    private let directory = TestDirectory()

    /// A file of that size, all hole but for the bytes of `data`, which lie at the given places.
    private func file(_ size: Int, _ data: [Int: [UInt8]]) throws -> Descriptor {
        let path = RawPath(directory.appending("file\(size)-\(data.count)"))
        let file = try Syscall.open(at: AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
        try Syscall.truncate(file.fd, to: size)
        for (place, bytes) in data {
            _ = try bytes.withUnsafeBytes { try Syscall.write(file.fd, $0, at: place) }
        }
        return file
    }

    private static let chunk = BlobStore.chunkByteCount
    private static let layouts: [(size: Int, places: [Int])] = [
        (0, []), (5, []), (5, [0]), (chunk, []), (chunk, [chunk - 1]), (chunk + 1, []), (chunk + 1, [chunk]),
        (5 * chunk, []), (5 * chunk, [0]), (5 * chunk, [3 * chunk - 1]),
        (5 * chunk + 77, [0, 2 * chunk, 4 * chunk]),
        (5 * chunk, [5 * chunk - 1]), (4 * chunk + 3, [chunk - 4096, chunk, chunk + 8192]),
    ]

    @Test(arguments: layouts)
    func `a digest is that of the bytes, wherever holes are`(size: Int, places: [Int]) throws {
        let data = Dictionary(uniqueKeysWithValues: places.map { ($0, [UInt8(7)]) })
        let file = try file(size, data)
        var bytes = [UInt8](repeating: 0, count: size)
        for place in places { bytes[place] = 7 }
        var advanced: UInt64 = 0
        let (digest, count) = try BlobStore.hash(file.fd) { advanced += $0 }
        #expect(digest == Digest.of(bytes))
        #expect(count == UInt64(size) && advanced == UInt64(size))
    }

    @Test func `1 TiB of hole is found to be one, in no time`() throws {
        let tebibyte = 1 << 40
        let file = try file(tebibyte, [0: [1], 5 << 32: [2], tebibyte - 1: [3]])
        var runs: [FileRun] = []
        while let run = try FileRun(at: runs.last?.range.upperBound ?? 0, of: file.fd) { runs.append(run) }
        #expect(runs.map(\.isHole) == [false, true, false, true, false])
        #expect(runs[2].range.contains(5 << 32))
        #expect(runs.last?.range.upperBound == off_t(tebibyte))
        let copy = try Syscall.open(
            at: AT_FDCWD, RawPath(directory.appending("copy")), O_RDWR | O_CREAT, mode: 0o600)
        try FileCopy.contents(of: file.fd, to: copy.fd)
        let status = try Syscall.stat(copy.fd)
        #expect(status.st_size == tebibyte && status.st_blocks < 100)
    }
}
