import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct ControlFilesTests {
    /// A control file says that it has no bytes, as files of /proc do.
    private func text(_ mount: MountedStore, _ name: String) throws -> String {
        try String(contentsOf: URL(fileURLWithPath: "\(mount.control)/\(name)"), encoding: .utf8)
    }

    private func document(_ mount: MountedStore, _ name: String) throws -> Outcome {
        try JSONDecoder().decode(Outcome.self, from: Data(try text(mount, name).utf8))
    }

    private struct Outcome: Decodable {
        struct Failure: Decodable {
            let code: String
            let message: String
        }
        var outcome: String?
        var error: Failure?
        var store: String?
    }

    @Test
    func `status is JSON, metrics are Prometheus text, and neither can be written`() throws {
        try MountedStore.with { mount in
            let names = try mount.names(".firn")
            #expect(names == ["commit", "last-commit", "metrics", "status", "store"])
            #expect(try document(mount, "status").store == mount.store)
            #expect(try document(mount, "store").store == mount.store)
            #expect(try text(mount, "metrics").contains("# TYPE firn_"))
            for name in ["store", "status", "metrics", "last-commit"] {
                #expect(failure { () throws(Errno) in _ = try mount.open(".firn/\(name)", O_WRONLY) } != nil)
            }
            #expect(failure { () throws(Errno) in try mount.write(".firn/new", "") } == .readOnlyFileSystem)
            #expect(failure { () throws(Errno) in try mount.unlink(".firn/status") } == .readOnlyFileSystem)
        }
    }

    @Test
    func `a write of a JSON object commits, in one piece or several`() throws {
        try MountedStore.with { mount in
            #expect(try document(mount, "last-commit").outcome == "none")
            try mount.write("staging/a", "1")
            try mount.commit(
                #"{"message": "first", "tag": "t", "params": {"lr": 0.1}, "metrics": {"auc": 0.9}}"#)
            #expect(try mount.target("versions/t") == "v000001")
            #expect(try document(mount, "last-commit").outcome == "committed")
            try mount.write("staging/a", "2")
            let shell = try Shell.run([
                "/bin/sh", "-c", #"{ printf '{"message":'; printf '"second"}\n'; } > "$0/commit""#,
                mount.control,
            ])
            #expect(shell.status == 0, "\(shell.complaints)")
            #expect(try mount.run("log", "--json").contains("second"))
        }
    }

    @Test
    func `a commit that is refused fails with an errno, and last-commit says why`() throws {
        try MountedStore.with { mount in
            #expect(mount.commitStatus("{}") == ENODATA)
            #expect(try document(mount, "last-commit").error?.code == "nothing_to_commit")
            try mount.write("staging/a", "1")
            #expect(mount.commitStatus(#"{"message": "cut"#) == EINVAL)
            #expect(mount.commitStatus("[]") == EINVAL)
            #expect(mount.commitStatus(#"{"no_such_key": 1}"#) == EINVAL)
            #expect(try text(mount, "last-commit").contains("no_such_key"))
            #expect(mount.commitStatus(#"{"tag": "bad/name"}"#) == EINVAL)
            try mount.commit(#"{"tag": "t"}"#)
            try mount.write("staging/a", "2")
            #expect(mount.commitStatus(#"{"tag": "t"}"#) == EEXIST)
            let writer = try mount.open("staging/a", O_WRONLY)
            #expect(mount.commitStatus(#"{"open_files": "fail"}"#) == EBUSY)
            _ = writer
            #expect(try mount.read("staging/a") == "2")
            #expect(try mount.names("versions").contains("v000002") == false)
        }
    }
}
