import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// Mappings, reads and writes of one file are one, whoever has opened it when: through the backing file where the
/// kernel passes files through, and through its pages where it does not, as for an ordinary user.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct MappingTests {
    private static let users: [String?] = geteuid() == 0 ? [nil, "nobody"] : [nil]

    /// Runs a program in the mount of `user`, as that user: `a` is a file of 3 pages, all of them `a`.
    private func run(_ user: String?, isSealed: Bool, _ script: String) throws {
        try MountedStore.with(as: user) { mount in
            let prelude = """
                import mmap, os, sys
                top, sealed = sys.argv[1], sys.argv[2] == 'True'
                staging, path = top + '/staging', top + '/staging/a'
                def commit():
                    with open(top + '/.firn/commit', 'w') as request: request.write('{"allow_empty": true}')
                def append(path, data):
                    file = os.open(path, os.O_WRONLY | os.O_APPEND)
                    os.write(file, data); os.close(file)
                def overwrite(path, data, at):
                    file = os.open(path, os.O_WRONLY)
                    os.pwrite(file, data, at); os.close(file)
                def mapped(path, flags=mmap.MAP_SHARED, writable=False, keeps=False):
                    file = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
                    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable or flags == mmap.MAP_PRIVATE else 0)
                    memory = mmap.mmap(file, 12288, flags, protection)
                    if not keeps: os.close(file)
                    return memory
                def equal(found, expected):
                    assert found == expected, (found[:20], expected[:20])
                with open(path, 'wb') as file: file.write(b'a' * 12288)
                if sealed: commit()

                """
            let python = [
                "/usr/bin/python3", "-c", prelude + script, mount.mountpoint, isSealed ? "True" : "False",
            ]
            let outcome = try Shell.run(user.map { Shell.command(python, as: $0) } ?? python)
            #expect(outcome.status == 0, "\(outcome.complaints)")
            try mount.run("verify")
        }
    }

    @Test(arguments: users, [false, true])
    func `what is written shows in every mapping, and what a mapping writes is read`(
        user: String?, isSealed: Bool
    ) throws {
        try run(
            user, isSealed: isSealed,
            """
            reader, private = mapped(path), mapped(path, mmap.MAP_PRIVATE)
            equal(reader[:3] + private[:3], b'aaaaaa')
            writer = mapped(path, writable=True)
            overwrite(path, b'one', 4095)
            for memory in reader, writer: equal(memory[4094:4099], b'aonea')
            writer[8191:8194] = b'two'
            equal(reader[8190:8195], b'atwoa')
            with open(path, 'rb') as file: equal(file.read()[8190:8195], b'atwoa')
            private[0:3] = b'own'
            equal(reader[0:4], b'aaaa')
            with open(path, 'rb') as file: equal(file.read(4), b'aaaa')
            os.truncate(path, 20000)
            equal(os.stat(path).st_size, 20000)
            append(path, b'end')
            equal(open(path, 'rb').read()[-4:], b'\\0end')
            os.rename(path, path + '2')
            overwrite(path + '2', b'moved', 100)
            equal(reader[100:105], b'moved')
            """)
    }

    @Test(arguments: users)
    func `a writer's mapping goes on over commits, and each has what was there then`(user: String?) throws {
        try run(
            user, isSealed: true,
            """
            writer = mapped(path, writable=True)
            for text in b'one', b'two', b'six':
                writer[5000:5003] = text
                # Without passthrough the kernel has it, and nobody else before it is synced.
                if os.getuid() != 0: writer.flush()
                commit()
                equal(open(top + '/versions/latest/a', 'rb').read()[4999:5004], b'a' + text + b'a')
                equal(open(path, 'rb').read()[4999:5004], b'a' + text + b'a')
            equal(open(top + '/versions/1/a', 'rb').read(), b'a' * 12288)
            """)
    }

    @Test(arguments: users, [false, true])
    func `a version's mapping never changes`(user: String?, isSealed: Bool) throws {
        try run(
            user, isSealed: isSealed,
            """
            commit()
            version, private = [mapped(top + '/versions/1/a', f) for f in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]
            staged = mapped(path)
            overwrite(path, b'new', 0)
            commit()
            overwrite(path, b'again', 0)
            os.truncate(path, 5)
            for memory in version, private: equal(memory[:], b'a' * 12288)
            """)
    }

    @Test(arguments: users, [false, true])
    func `who reads or maps a file sees what is written to it after a commit`(
        user: String?, keepsDescriptor: Bool
    ) throws {
        try run(
            user, isSealed: false,
            """
            reader = mapped(path, keeps=\(keepsDescriptor ? "True" : "False"))
            for text in b'one', b'two':
                commit()
                overwrite(path, text, 4095)
                equal(reader[4094:4099], b'a' + text + b'a')
            commit()
            commit()
            number = os.stat(path).st_ino
            os.rename(path, path + '2')
            writer = mapped(path + '2', writable=True)
            writer[0:3] = b'end'
            equal(reader[0:4], b'enda')
            equal(os.stat(path + '2').st_ino, number)
            equal(open(top + '/versions/1/a', 'rb').read(), b'a' * 12288)
            """)
    }

    @Test(arguments: users)
    func `a log that is followed shows every line, though commits come between`(user: String?) throws {
        try run(
            user, isSealed: false,
            """
            follower = open(staging + '/log', 'w+b', buffering=0)
            follower.close()
            follower = open(staging + '/log', 'rb', buffering=0)
            expected = b''
            for index in range(8):
                append(staging + '/log', b'line %d\\n' % index)
                expected += b'line %d\\n' % index
                if index % 2: commit()
                if index % 4 == 3: commit()
                equal(follower.read(), b'line %d\\n' % index)
                equal(os.fstat(follower.fileno()).st_size, len(expected))
                equal(os.fstat(follower.fileno()).st_ino, os.stat(staging + '/log').st_ino)
            commit()
            equal(open(top + '/versions/latest/log', 'rb').read(), expected)
            """)
    }

    @Test
    func `a file that is only read is not staged after a commit, and what is read is not copied twice`()
        throws
    {
        try MountedStore.with { mount in
            try mount.write("staging/log", "sealed")
            let reader = try mount.open("staging/log", O_RDONLY)
            try mount.commit()
            let status = try mount.run("status", "--json")
            #expect(status.contains("\"entries\": 0"), "\(status)")
            #expect(mount.commitStatus("{}") != 0)
            try mount.write("staging/other", "1")
            for _ in 0..<2 { try mount.commit(#"{"allow_empty": true}"#) }
            try append(" and more", to: "staging/log", mount)
            #expect(try reader.read(99) == "sealed and more")
            try mount.run("verify")
        }
    }

    private func append(_ text: String, to path: String, _ mount: MountedStore) throws {
        let file = try mount.open(path, O_WRONLY | O_APPEND)
        try file.write(text, at: 0)
    }
}
