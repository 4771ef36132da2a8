import Foundation
import Glibc
import TestSupport
import Testing

/// Files that more than one name, handle or version leads to.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"), .serialized)
struct SharedFileTests {
    @Test func `writes through two names of a file meet, also after a restore elsewhere`() throws {
        try MountedStore.with { mount in
            try write("sealed bytes", to: "\(mount.staging)/f")
            try write("other", to: "\(mount.staging)/other")
            try mount.run("commit", "-m", "first")
            #expect(link("\(mount.staging)/f", "\(mount.staging)/g") == 0)
            // One name is known to the daemon, and the other not yet.
            try mount.remount()
            #expect(try status("\(mount.staging)/f").st_nlink == 2)
            try write("changed", to: "\(mount.staging)/other")
            try mount.run("restore", "1", "other", "--force")
            #expect(try status("\(mount.staging)/g").st_ino == status("\(mount.staging)/f").st_ino)
            try write("new", to: "\(mount.staging)/f")
            try append(" and more", to: "\(mount.staging)/g")
            #expect(try text("\(mount.staging)/f") == "new and more")
            #expect(try text("\(mount.staging)/g") == "new and more")
        }
    }

    @Test func `a linked file that was open over a commit can be written to`() throws {
        try MountedStore.with { mount in
            try write("sealed", to: "\(mount.staging)/f")
            let reader = open("\(mount.staging)/f", O_RDONLY)
            defer { close(reader) }
            try mount.run("commit", "-m", "first")
            #expect(link("\(mount.staging)/f", "\(mount.staging)/g") == 0)
            try append(" and more", to: "\(mount.staging)/f")
            #expect(try text("\(mount.staging)/g") == "sealed and more")
            #expect(try text("\(mount.versions)/1/f") == "sealed")
        }
    }

    @Test func `a descriptor whose name is gone cannot write to bytes sealed under another name`() throws {
        try MountedStore.with { mount in
            try write("sealed", to: "\(mount.staging)/f")
            #expect(link("\(mount.staging)/f", "\(mount.staging)/g") == 0)
            try mount.remount()
            let reader = open("\(mount.staging)/f", O_RDONLY)
            defer { close(reader) }
            #expect(unlink("\(mount.staging)/f") == 0)
            try mount.run("commit", "-m", "first")
            let writer = open("/proc/self/fd/\(reader)", O_WRONLY)
            if writer >= 0 {
                _ = Glibc.write(writer, "SEALED", 6)
                close(writer)
            }
            #expect(try text("\(mount.versions)/1/g") == "sealed")
            try mount.run("verify")
        }
    }

    @Test func `names of one file are files of their own after a commit`() throws {
        try MountedStore.with { mount in
            try write("sealed", to: "\(mount.staging)/f")
            #expect(link("\(mount.staging)/f", "\(mount.staging)/g") == 0)
            try mount.run("commit", "-m", "first")
            try append("!", to: "\(mount.staging)/f")
            #expect(try text("\(mount.staging)/g") == "sealed")
        }
    }

    private func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    private func append(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_APPEND)
        try #require(file >= 0, "errno \(errno)")
        defer { close(file) }
        #expect(Glibc.write(file, text, text.utf8.count) == text.utf8.count)
    }

    private func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    private func status(_ path: String) throws -> stat {
        var status = stat()
        try #require(lstat(path, &status) == 0, "errno \(errno)")
        return status
    }
}
