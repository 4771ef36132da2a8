import Foundation
import Glibc
import Store
import SystemPackage
import TestSupport
import Testing

/// A daemon that dies below a supervisor: programs see a pause.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct SupervisorTests {
    @Test
    func `open files, listings and locks outlive the daemon`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/sealed", "sealed")
            try mount.commit()
            for index in 0..<2000 { try mount.write("staging/d\(index)", "") }
            let named = open("\(mount.staging)/named", O_RDWR | O_CREAT, 0o644)
            let gone = open("\(mount.staging)/gone", O_RDWR | O_CREAT, 0o644)
            let replaced = open("\(mount.staging)/replaced", O_RDWR | O_CREAT, 0o644)
            let version = open("\(mount.versions)/1/sealed", O_RDONLY)
            let base = open("\(mount.staging)/sealed", O_RDONLY)
            defer { for file in [named, gone, replaced, version, base] { close(file) } }
            for file in [named, gone, replaced] { #expect(Glibc.write(file, "before ", 7) == 7) }
            try mount.unlink("staging/gone")
            try mount.write("staging/other", "other")
            try mount.rename("staging/other", "staging/replaced")
            #expect(flock(named, LOCK_EX) == 0)
            let listing = try #require(opendir(mount.staging))
            defer { closedir(listing) }
            var listed = (0..<50).map { _ in name(readdir(listing)) }

            for _ in 0..<3 {
                try mount.crashDaemon()
                #expect(Glibc.write(named, "more ", 5) == 5)
                #expect(fsync(named) == 0)
            }
            #expect(try mount.read("staging/named") == "before more more more ")
            for file in [gone, replaced] {
                #expect(Glibc.write(file, "after", 5) == 5)
                #expect(text(of: file) == "before after")
                var status = stat()
                #expect(fstat(file, &status) == 0)
                #expect(status.st_nlink == 0)
                #expect(status.st_size == 12)
            }
            #expect(text(of: version) == "sealed")
            #expect(text(of: base) == "sealed")
            #expect(try mount.read("staging/replaced") == "other")
            let second = open("\(mount.staging)/named", O_RDWR)
            #expect(flock(second, LOCK_EX | LOCK_NB) == -1)
            #expect(errno == EWOULDBLOCK)
            close(second)
            while let entry = readdir(listing) { listed.append(name(entry)) }
            let names = Set(listed)
            #expect(names.count == listed.count)
            #expect((0..<2000).allSatisfy { names.contains("d\($0)") })
        }
    }

    private func name(_ entry: UnsafeMutablePointer<dirent>?) -> String {
        entry.map { entry in
            withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
        } ?? ""
    }

    private func text(of file: Int32) -> String {
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = pread(file, &buffer, buffer.count, 0)
        return count < 0 ? "errno \(errno)" : String(decoding: buffer.prefix(count), as: UTF8.self)
    }

    @Test
    func `what is deleted while it is open takes no room once it is closed`() throws {
        try MountedStore.with { mount in
            let file = open("\(mount.staging)/f", O_RDWR | O_CREAT, 0o644)
            try mount.unlink("staging/f")
            let unlinked = "\(mount.store)/workspaces/main/unlinked"
            #expect(try FileManager.default.contentsOfDirectory(atPath: unlinked).count == 1)
            try mount.crashDaemon()
            close(file)
            try mount.unmount()
            #expect(try FileManager.default.contentsOfDirectory(atPath: unlinked).isEmpty)
        }
    }

    @Test
    func `a training script that saves its state runs through ten kills`() throws {
        try MountedStore.with { mount in
            let script = """
                import json, os, pickle, sys, time
                done = 0
                log = open('train.log', 'a')
                while not os.path.exists('stop'):
                    done += 1
                    state = {'step': done, 'weights': os.urandom(200_000)}
                    with open('checkpoint.tmp', 'wb') as f:
                        pickle.dump(state, f)
                        f.flush()
                        os.fsync(f.fileno())
                    os.rename('checkpoint.tmp', 'checkpoint.pkl')
                    assert pickle.load(open('checkpoint.pkl', 'rb')) == state
                    if done % 10 == 0:
                        os.makedirs(f'epoch{done}/logs')
                        os.link('checkpoint.pkl', f'epoch{done}/best.pkl')
                    print(json.dumps({'step': done}), file=log, flush=True)
                    time.sleep(0.02)
                assert [json.loads(l)['step'] for l in open('train.log')] == list(range(1, done + 1))
                print(done)
                """
            let training = try RunningProcess(
                ["/usr/bin/env", "python3", "-c", script], in: mount.staging)
            for round in 0..<10 {
                usleep(UInt32(40_000 + round * 13_000))
                try mount.crashDaemon()
                if round == 5 { try mount.commit() }
            }
            try mount.write("staging/stop", "")
            let outcome = training.wait()
            #expect(outcome.status == 0, "\(outcome.complaints)")
            #expect((Int(outcome.text.filter(\.isNumber)) ?? 0) > 10)
            try mount.commit()
            try mount.run("verify")
        }
    }

    @Test(arguments: [1, 2])
    func `changes that are under way when the daemon dies are carried out once`(seed: Int) throws {
        try MountedStore.with { mount in
            let workload = try RunningProcess(
                ["/usr/bin/env", "python3", "-c", NamespaceWorkload.script, "\(seed)"], in: mount.staging)
            var waits = seed
            for _ in 0..<15 {
                waits = waits &* 1_103_515_245 &+ 12_345
                usleep(UInt32(waits >> 8 & 0xFFFF) * 4)
                try mount.crashDaemon()
            }
            try mount.write("staging/stop", "")
            let outcome = workload.wait()
            #expect(outcome.status == 0, "\(outcome.text)\(outcome.complaints)")
            let before = try TreeSnapshot.read(mount.staging)
            try mount.commit()
            #expect(try TreeSnapshot.read(mount.versions + "/1/").differences(from: before).isEmpty)
            try mount.remount()
            #expect(try TreeSnapshot.read(mount.staging).differences(from: before).isEmpty)
        }
    }

    /// More requests than a daemon receives at once: most of them wait unread when it dies.
    @Test
    func `changes that no daemon had received are carried out once as well`() throws {
        try MountedStore.with { mount in
            let script = """
                import os, sys, threading
                failures = []
                def work(number):
                    os.mkdir(f'd{number}')
                    os.mkdir(f'd{number}/a')
                    done = 0
                    try:
                        while not os.path.exists('stop'):
                            os.rename(f'd{number}/a', f'd{number}/b')
                            os.rename(f'd{number}/b', f'd{number}/a')
                            done += 1
                    except OSError as error:
                        failures.append(f'after {done}: {error}')
                threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                sys.exit('; '.join(failures) or 0)
                """
            let workload = try RunningProcess(
                ["/usr/bin/env", "python3", "-c", script], in: mount.staging)
            for round in 0..<20 {
                usleep(UInt32(20_000 + round * 3_000))
                try mount.crashDaemon()
            }
            try mount.write("staging/stop", "")
            let outcome = workload.wait()
            #expect(outcome.status == 0, "\(outcome.complaints)")
        }
    }

    @Test
    func `a daemon that dies in the middle of commits leaves whole versions, and open files go on`() throws {
        try MountedStore.with { mount in
            let log = open("\(mount.staging)/log", O_RDWR | O_CREAT | O_APPEND, 0o644)
            defer { close(log) }
            var logged = ""
            for round in 0..<6 {
                for index in 0..<40 { try mount.write("staging/f\(index)", "\(round) \(index)") }
                let commit = try RunningProcess([FirnProgram.path, "commit", "--store", mount.store])
                usleep(UInt32(round) * 25_000)
                try mount.crashDaemon()
                _ = commit.wait()
                #expect(Glibc.write(log, "\(round)", 1) == 1)
                logged += "\(round)"
                #expect(try mount.read("staging/log") == logged)
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

    @Test
    func `daemons that all crash at once are given up, and mounting again goes on`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/f", "1")
            var last: Int32 = 0
            let deadline = ContinuousClock.now + .seconds(60)
            while ContinuousClock.now < deadline {
                guard let pid = StoreOwner.pid(of: mount.store), pid != last else {
                    if failure({ () throws(Errno) in _ = try mount.read("staging/f") }) == .socketNotConnected
                    {
                        break
                    }
                    continue
                }
                last = pid
                kill(pid, SIGUSR1)
            }
            #expect(
                failure { () throws(Errno) in _ = try mount.read("staging/f") } == .socketNotConnected)
            let log = try String(contentsOfFile: mount.store + "/firn.log", encoding: .utf8)
            #expect(log.contains("mount is lost"), "\(log.suffix(500))")
            mount.waitForEnd()
            try mount.mount()
            #expect(try mount.read("staging/f") == "1")
        }
    }

    @Test
    func `a daemon that took over unmounts when it is asked, and when it is told to end`() throws {
        try MountedStore.with { mount in
            try mount.write("staging/f", "1")
            try mount.crashDaemon()
            try mount.remount()
            try mount.crashDaemon()
            let daemon = try #require(mount.daemon)
            kill(daemon, SIGTERM)
            mount.waitForEnd()
            #expect(try FileManager.default.contentsOfDirectory(atPath: mount.mountpoint).isEmpty)
            try mount.mount()
            #expect(try mount.read("staging/f") == "1")
        }
    }

    /// What a script says that an ordinary user runs, with staging and the store as its arguments, and that must succeed.
    private func outputOfOrdinaryUser(_ script: String, _ mount: MountedStore) throws -> String {
        let outcome = try Shell.run(
            Shell.command(["/bin/bash", "-euc", script, "bash", mount.staging, mount.store], as: "nobody"))
        #expect(outcome.status == 0, "\(outcome.complaints)")
        return outcome.text
    }

    @Test(.enabled(if: geteuid() == 0, "needs root"))
    func `an ordinary user's daemon is followed by another as well`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = """
                cd "$1"; exec 7<>f; echo one >&7; kill -9 $(cat "$2/lock"); echo two >&7; cat f; mkdir d; rmdir d
                """
            let output = try outputOfOrdinaryUser(script, mount)
            #expect(output == "one\ntwo\n")
        }
    }

    @Test(.enabled(if: MountedStore.isAvailableToAnyone, "an ordinary user cannot mount"))
    func `an ordinary user who closes all of staging has it back from the next daemon`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = """
                cd "$2"; : > "$1/f"; chmod 0 "$1" || true; kill -9 $(cat lock); ls "$1"; chmod 700 "$1"; echo two > "$1/f"
                """
            let output = try outputOfOrdinaryUser(script, mount)
            #expect(output == "f\n")
        }
    }

    @Test(.enabled(if: MountedStore.isAvailableToAnyone, "an ordinary user cannot mount"))
    func `modes that deny even their owner do not end an ordinary user's mount`() throws {
        try MountedStore.with(as: "nobody") { mount in
            let script = """
                import os, sys
                os.chdir(sys.argv[1])
                os.mkdir('d')
                open('d/f', 'w').close()
                os.chmod('d', 0)
                modes = {'gone': 0o444, 'named': 0o444, 'nobody': 0}
                files = [os.open(name, os.O_CREAT | os.O_RDWR, mode) for name, mode in modes.items()]
                for file in files: os.write(file, b'one ')
                os.unlink('gone')
                os.kill(int(open(sys.argv[2] + '/lock').read()), 9)
                for file in files:
                    os.write(file, b'two')
                    print(os.pread(file, 9, 0).decode(), oct(os.fstat(file).st_mode & 0o777))
                os.chmod('d', 0o755)
                with open('d/f', 'w') as file: file.write('three')
                print(open('d/f').read())
                """
            let outcome = try Shell.run(
                Shell.command(
                    ["/usr/bin/python3", "-c", script, mount.staging, mount.store], as: "nobody"))
            #expect(outcome.status == 0, "\(outcome.complaints)")
            #expect(outcome.text == "one two 0o444\none two 0o444\none two 0o0\nthree\n")
        }
    }
}

/// The daemon of a store, by what it notes itself.
private enum StoreOwner {
    static func pid(of store: String) -> Int32? {
        (try? String(contentsOfFile: store + "/lock", encoding: .utf8)).flatMap {
            Int32($0.filter(\.isNumber))
        }
    }
}
