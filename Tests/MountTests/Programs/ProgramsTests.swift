import Foundation
import Glibc
import Objects
import Store
import SystemPackage
import TestSupport
import Testing

/// Programs that know nothing of Firn, on a mount.
@Suite(.enabled(if: MountedStore.isAvailable, "there is no /dev/fuse to mount with"))
struct ProgramsTests {
    private static func has(_ programs: String...) -> Bool {
        programs.allSatisfy { access("/usr/bin/\($0)", X_OK) == 0 }
    }

    /// Runs a script with `$S`, `$V` and `$N` as staging, versions and a plain directory; it must succeed.
    @discardableResult
    private func sh(_ mount: MountedStore, _ script: String) throws -> String {
        var environment = ProcessInfo.processInfo.environment
        environment["S"] = mount.staging
        environment["V"] = mount.versions
        environment["N"] = mount.directory.appending("plain")
        let outcome = try Shell.run(
            ["/bin/bash", "-euc", "mkdir -p $N; \(script)"], environment: environment)
        #expect(outcome.status == 0, "\(script)\n\(outcome.text)\n\(outcome.complaints)")
        return outcome.text
    }

    @Test(.enabled(if: has("git"), "there is no git"))
    func `git keeps a repository in staging, and its history in versions`() throws {
        try MountedStore.with { mount in
            try sh(
                mount,
                """
                mkdir $S/repo; cd $S/repo; git init -q -b main .
                git config user.name a; git config user.email a@example.org
                for i in $(seq 100); do echo $i > f$i; done
                git add .; git commit -qm one
                """)
            try mount.commit()
            try sh(
                mount,
                """
                cd $S/repo; git status --porcelain | (! grep .)
                echo more >> f1; git commit -qam two; git checkout -q HEAD~1; [ "$(cat f1)" = 1 ]
                git checkout -q main; git gc -q; git fsck --strict
                """)
            try mount.commit()
            try mount.remount()
            try sh(
                mount,
                """
                cd $S/repo; git status --porcelain | (! grep .); git fsck
                export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
                [ "$(git -C $V/1/repo log --format=%s)" = one ]
                [ "$(git -C $V/2/repo log --format=%s | tr '\\n' ' ')" = 'two one ' ]
                git clone -q $V/2/repo $N/clone; [ "$(tail -1 $N/clone/f1)" = more ]
                """)
        }
    }

    @Test(.enabled(if: has("sqlite3"), "there is no sqlite3"), arguments: ["delete", "truncate", "wal"])
    func `sqlite3 works in staging, and reads what was sealed`(journal: String) throws {
        try MountedStore.with { mount in
            let check = "PRAGMA integrity_check; SELECT count(*), sum(a) FROM t;"
            let made = try sh(
                mount,
                """
                sqlite3 $S/db "PRAGMA journal_mode=\(journal); CREATE TABLE t(a, b);
                  INSERT INTO t SELECT value, hex(randomblob(100)) FROM generate_series(1, 3000);
                  UPDATE t SET a = a + 1; DELETE FROM t WHERE a % 3 = 0; \(check)"
                """)
            #expect(made == "\(journal)\nok\n2000|3003000\n")
            try mount.commit()
            #expect(try sh(mount, "sqlite3 $S/db 'UPDATE t SET a = 0; \(check)'") == "ok\n2000|0\n")
            #expect(
                try sh(mount, "sqlite3 -readonly \"file:$V/latest/db?immutable=1\" '\(check)'")
                    == "ok\n2000|3003000\n")
        }
    }

    /// Every kind of thing with every kind of attribute, without hard links if `links` is false.
    private func makeTree(_ mount: MountedStore, links: Bool) throws {
        try sh(
            mount,
            """
            mkdir $N/src; cd $N/src; mkdir -p a/b/c empty st sg
            echo 1 > a/1; \(links ? "ln a/1 a/2" : "cp a/1 a/2"); ln -s ../x a/l; mkfifo a/fifo; touch old zero
            truncate -s 5M a/sparse; printf x | dd of=a/sparse bs=1 seek=3000000 conv=notrunc status=none
            echo z > $'odd\\xff\\x01name'; echo z > 'sp ace'; echo z > "$(printf 'n%.0s' {1..255})"
            setfattr -n user.x -v y a/1; setfattr -n user.dir -v z a/b
            touch -d '2001-02-03 04:05:06.123456789' a/1; touch -h -d '1999-02-03 04:05:06.999999999' a/l
            chmod 1777 st; touch -d @7.5 old
            """)
        guard geteuid() == 0 else { return }
        try sh(
            mount,
            """
            cd $N/src; setfacl -m u:1234:rw a/1; setfacl -d -m u:1234:rwx a/b; mknod a/null c 1 3
            chown 1234:4321 a/2 a/b; chown -h 77:88 a/l; chmod 4755 a/sparse; chmod 2775 sg
            touch -d '2002-02-03 04:05:06.5' a/b a .
            """)
    }

    private static let compare = "rsync -aHAXnc --devices --specials --delete -i"

    @Test(.enabled(if: has("rsync", "setfattr", "setfacl"), "there is no rsync, attr or acl"))
    func `rsync -aHAX takes everything in and out`() throws {
        try MountedStore.with { mount in
            try makeTree(mount, links: true)
            #expect(
                try sh(
                    mount,
                    "rsync -aHAX --devices --specials $N/src/ $S/d/; \(ProgramsTests.compare) $N/src/ $S/d/")
                    == "")
            #expect(
                try sh(mount, "rsync -aHAX $S/d/ $N/out/; \(ProgramsTests.compare) $N/src/ $N/out/") == "")
            // The names of a hard link are sealed as files of their own.
            try sh(mount, "rm $N/src/a/2 $S/d/a/2; touch -r $N/src/st $N/src/a $S/d/a")
            try mount.commit()
            try mount.remount()
            for place in ["$S/d/", "$V/latest/d/"] {
                #expect(try sh(mount, "\(ProgramsTests.compare) $N/src/ \(place)") == "", "\(place)")
            }
            #expect(
                try sh(
                    mount,
                    "rm -rf $N/out; rsync -aHAX $V/latest/d/ $N/out/; \(ProgramsTests.compare) $N/src/ $N/out/"
                ) == "")
        }
    }

    @Test(.enabled(if: has("rsync", "setfattr", "setfacl"), "there is no rsync, attr or acl"))
    func `tar takes everything in and out`() throws {
        try MountedStore.with { mount in
            try makeTree(mount, links: false)
            let tar = "tar --acls --xattrs --xattrs-include='*' -S"
            try sh(mount, "mkdir $S/d; \(tar) -C $N/src -c . | \(tar) -C $S/d -xp")
            #expect(try sh(mount, "\(ProgramsTests.compare) $N/src/ $S/d/") == "")
            try mount.commit()
            try sh(mount, "mkdir $N/out; \(tar) -C $V/latest/d -c . | \(tar) -C $N/out -xp")
            #expect(try sh(mount, "\(ProgramsTests.compare) $N/src/ $N/out/") == "")
            let size = try sh(mount, "du -k $N/out/a/sparse | cut -f1").dropLast()
            #expect(try #require(Int(size)) < 1000)
        }
    }

    @Test
    func `cp, mv, diff, find and ln work across a commit`() throws {
        try MountedStore.with { mount in
            try sh(
                mount, "mkdir -p $S/a/b; for i in $(seq 50); do echo $i > $S/a/b/$i; done; cp -a $S/a $S/c")
            try mount.commit()
            try sh(
                mount,
                """
                cd $S; diff -r a c; mv a/b d; cp -a --reflink=auto d/7 d/new; rm c/b/9; ln -s d l; ln d/1 d/one
                sed -i s/8/eight/ d/8; [ "$(find . -type f | wc -l)" = 101 ]
                """)
            try mount.commit()
            try sh(
                mount,
                """
                diff -r $V/1/a $V/1/c; diff -r $S $V/2; [ "$(cat $V/2/l/8)" = eight ]; [ "$(cat $V/1/a/b/8)" = 8 ]
                (! diff -rq $V/1 $V/2) | grep -q '^Only in .*v\\?.*: new\\|Only'
                """)
        }
    }
}
