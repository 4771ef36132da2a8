import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct CrashTests {
    @Test
    func `a daemon that was killed has lost nothing, staged or sealed`() throws {
        try MountedStore.with { mount in
            try mount.makeDirectory("staging/d")
            try mount.write("staging/d/sealed", "1")
            try mount.write("staging/gone", "1")
            try mount.commit(#"{"tag": "t"}"#)
            try mount.write("staging/d/sealed", "2")
            try mount.write("staging/fresh", "new")
            try mount.unlink("staging/gone")
            try mount.rename("staging/d", "staging/e")
            let before = try TreeSnapshot.read(mount.staging)
            mount.killDaemon()
            try mount.mount()
            #expect(try TreeSnapshot.read(mount.staging).differences(from: before).isEmpty)
            #expect(try mount.read("versions/t/d/sealed") == "1")
            try mount.commit()
            #expect(try TreeSnapshot.read(mount.versions + "/2/").differences(from: before).isEmpty)
            try mount.run("verify")
        }
    }

    @Test(.enabled(if: MountedStore.isAvailableToAnyone, "an ordinary user cannot mount"))
    func `directories that deny even their owner are no obstacle to a start after a commit cut short`() throws
    {
        try MountedStore.with(as: "nobody") { mount in
            func run(_ script: String) throws {
                let outcome = try Shell.run(
                    Shell.command(
                        ["/usr/bin/python3", "-c", script, mount.staging, mount.store], as: "nobody"))
                try #require(outcome.status == 0, "\(outcome.complaints)")
            }
            try run("import sys; open(sys.argv[1] + '/f', 'w').close()")
            try mount.run("commit")
            try run(
                """
                import os, sys
                os.chdir(sys.argv[1])
                for mode in 0, 0o300, 0o600:
                    os.mkdir(f'd{mode}')
                    open(f'd{mode}/f', 'w').close()
                    os.chmod(f'd{mode}', mode)
                """)
            try mount.unmount()
            try run(
                """
                import os, sys
                next = sys.argv[2] + '/workspaces/main/next'
                os.mkdir(next)
                os.setxattr(next, 'user.firn.workspace', bytes([0x83, 1, 3, 0xF6]))
                """)
            try mount.run("tag", "t", "1")
        }
    }

    @Test
    func `a daemon killed in the middle of commits leaves whole versions`() throws {
        try MountedStore.with { mount in
            for round in 0..<5 {
                for index in 0..<40 { try mount.write("staging/f\(index)", "\(round) \(index)") }
                let commit = try RunningProcess([FirnProgram.path, "commit", "--store", mount.store])
                // At another moment of the commit each time, from its first to some time after its last.
                usleep(UInt32(round) * 30_000)
                mount.killDaemon()
                _ = commit.wait()
                try mount.mount()
                for index in 0..<40 { #expect(try mount.read("staging/f\(index)") == "\(round) \(index)") }
                for version in try mount.names("versions") where version.hasPrefix("v0") {
                    let first = try mount.read("versions/\(version)/f0").prefix { $0 != " " }
                    for index in 0..<40 {
                        #expect(try mount.read("versions/\(version)/f\(index)") == "\(first) \(index)")
                    }
                }
            }
            try mount.run("verify")
        }
    }

    @Test(arguments: ["truncated", "overwritten", "missing"])
    func `a damaged object is an I/O error, and verify names it`(damage: String) throws {
        try MountedStore.with { mount in
            try mount.write("staging/good", "good")
            try mount.write("staging/bad", "bad bytes")
            try mount.commit()
            let digest = Digest.of(Array("bad bytes".utf8)).hex
            let object = "\(mount.store)/objects/\(digest.prefix(2))/\(digest.dropFirst(2))"
            chmod(object, 0o600)
            try mount.unmount()
            switch damage {
            case "truncated": #expect(truncate(object, 3) == 0)
            case "overwritten": try "bad BYTES".write(toFile: object, atomically: false, encoding: .utf8)
            default: #expect(Glibc.unlink(object) == 0)
            }
            try mount.mount()
            #expect(try mount.read("versions/1/good") == "good")
            if damage != "overwritten" {
                #expect(failure { () throws(Errno) in _ = try mount.read("versions/1/bad") } == .ioError)
                #expect(failure { () throws(Errno) in _ = try mount.read("staging/bad") } == .ioError)
            }
            let outcome = try mount.firn("verify")
            #expect(outcome.status == 3)
            let said = outcome.text + outcome.complaints
            #expect(said.contains("bad") && said.contains("v000001"), "\(said)")
            // What the daemon meets does not take it down.
            try mount.write("staging/more", "1")
            #expect(try mount.read("staging/more") == "1")
        }
    }

    @Test
    func `a commit while another runs waits for it or says that it is busy, and both are whole`() throws {
        try MountedStore.with { mount in
            for index in 0..<300 { try mount.write("staging/f\(index)", "\(index)") }
            let commits = try (0..<4).map { index in
                try RunningProcess([
                    FirnProgram.path, "commit", "--allow-empty", "-t", "t\(index)", "--store", mount.store,
                ])
            }
            var done = 0
            for commit in commits {
                let outcome = commit.wait()
                #expect([0, 4].contains(outcome.status), "\(outcome.complaints)")
                if outcome.status == 0 { done += 1 }
            }
            #expect(done >= 1)
            #expect(try mount.names("versions").filter { $0.hasPrefix("v0") }.count == done)
            #expect(try mount.names("versions/latest/").count == 300)
        }
    }
}
