import Foundation
import Glibc
import TestSupport
import Testing

/// What hurts FUSE filesystems in practice, with commits between and during it.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct PracticeTests {
    /// A Python program that ends with status 0 if the filesystem does what ext4 does.
    struct Practice: CustomTestStringConvertible, Sendable {
        let name: String
        /// Whether it is about names alone, which reach the daemon on every mount.
        var isOfNames = false
        let program: String

        var testDescription: String { name }
    }

    @Test(arguments: practices)
    func `it works across commits as it does on a disk`(practice: Practice) throws {
        try run(practice, as: nil)
    }

    /// Root's mounts read and write without the daemon, an ordinary user's through it.
    @Test(
        .enabled(
            if: MountedStore.isAvailableToAnyone,
            "only root may act as others, and /dev/fuse must be open to them (chmod 666 /dev/fuse)"),
        arguments: practices.filter { !$0.isOfNames })
    func `it works so on an ordinary user's mount`(practice: Practice) throws {
        try run(practice, as: "nobody")
    }

    private func run(_ practice: Practice, as user: String?) throws {
        try MountedStore.with(as: user) { mount in
            let command = [
                "/usr/bin/python3", "-c", PracticeTests.prelude + practice.program, mount.staging,
                mount.versions,
                FirnProgram.path, mount.store,
            ]
            let outcome = try Shell.run(user.map { Shell.command(command, as: $0) } ?? command)
            #expect(outcome.status == 0, "\(outcome.text)\(outcome.complaints)")
            try mount.run("verify")
        }
    }

    private static let prelude = """
        import ctypes, os, random, shutil, struct, subprocess, sys, threading, time
        staging, versions, firn, store = sys.argv[1:]
        latest = versions + "/latest"
        os.chdir(staging)

        def commit():
            done = subprocess.run([firn, "commit", "--store", store], capture_output=True, text=True)
            assert done.returncode in (0, 5), done.stderr

        class Commits:
            "One commit after the other, from the beginning of a block to its end."
            def __enter__(self):
                self.ends, self.failure = False, None
                self.thread = threading.Thread(target=self.run)
                self.thread.start()
            def run(self):
                try:
                    while not self.ends: commit()
                except BaseException as failure: self.failure = failure
            def __exit__(self, *_):
                self.ends = True
                self.thread.join()
                if self.failure: raise self.failure

        def child(body):
            "Runs body in a process of its own; call what is returned to wait for its success."
            pid = os.fork()
            if pid == 0:
                status = 1
                try:
                    body()
                    status = 0
                except BaseException as failure: print(repr(failure), flush=True)
                finally: os._exit(status)
            def wait(): assert os.waitpid(pid, 0)[1] == 0
            return wait

        def append(path, data):
            with open(path, "ab", buffering=0) as file: assert file.write(data) == len(data)

        def sh(script): return subprocess.run(["/bin/bash", "-euc", script], check=True, capture_output=True, text=True)

        """
}
