extension PracticeTests {
    static let practices = [
        Practice(
            name: "64 processes append to one file",
            program: """
                def records(number):
                    source = random.Random(number)
                    for index in range(30):
                        size = source.randrange(6000 if index % 10 == 0 else 200)
                        yield b"%d %d " % (number, index) + b"x" * size + b"\\n"

                def appends(number):
                    file = os.open("log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                    for index, record in enumerate(records(number)):
                        if index % 7 == 6:
                            os.close(file)
                            file = os.open("log", os.O_WRONLY | os.O_APPEND)
                        assert os.write(file, record) == len(record)

                append("log", b"")
                with Commits():
                    for wait in [child(lambda: appends(number)) for number in range(64)]: wait()
                found = open("log", "rb").read().splitlines(keepends=True)
                assert sorted(found) == sorted(record for number in range(64) for record in records(number))
                commit()
                assert open(latest + "/log", "rb").read().splitlines(keepends=True) == found
                """),
        Practice(
            name: "a log is followed by who has it open",
            program: """
                with open("events", "ab", buffering=0) as writer, open("events", "rb", buffering=0) as reader:
                    want, got = b"", b""
                    for index in range(60):
                        if index % 15 == 7: commit()
                        record = struct.pack("<QI", index, index) + os.urandom(100)
                        writer.write(record)
                        want, got = want + record, got + reader.read()
                        assert got == want, (index, len(got), len(want))
                        assert os.stat("events").st_size == os.fstat(reader.fileno()).st_size == len(want)
                commit()
                assert open(latest + "/events", "rb").read() == want
                """),
        Practice(
            name: "SQLite's write-ahead log between processes",
            program: """
                import sqlite3
                def open_database(): return sqlite3.connect("db", timeout=60, isolation_level=None)
                first = open_database()
                assert first.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
                first.execute("CREATE TABLE t(who, i, bytes)")

                def insert(who):
                    database, i = open_database(), 0
                    for round in range(40):
                        database.execute("BEGIN IMMEDIATE")
                        for _ in range(5):
                            database.execute("INSERT INTO t VALUES (?, ?, randomblob(700))", (who, i))
                            i += 1
                        database.execute("COMMIT")
                        assert database.execute("SELECT count(*) FROM t WHERE who = ?", (who,)).fetchone() == (i,)
                        if round % 10 == 5: database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                        if round % 20 == 7:
                            database.close()
                            database = open_database()

                with Commits():
                    for wait in [child(lambda: insert(who)) for who in range(2)]: wait()
                assert first.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert first.execute("SELECT count(*), sum(i) FROM t").fetchone() == (400, 2 * sum(range(200)))
                first.close()
                commit()
                sealed = sqlite3.connect(f"file:{latest}/db?immutable=1", uri=True)
                assert sealed.execute("SELECT count(*) FROM t").fetchone() == (400,)
                """),
        Practice(
            name: "make -j", isOfNames: true,
            program: """
                os.mkdir("project")
                os.chdir("project")
                for index in range(24):
                    open(f"f{index}.c", "w").write(f'#include "all.h"\\nint f{index}(void) {{ return BASE + {index}; }}')
                names = [f"f{index}" for index in range(24)]
                open("all.h", "w").write("#define BASE 1\\n" + "".join(f"int {name}(void);" for name in names))
                open("main.c", "w").write(
                    '#include "all.h"\\n#include <stdio.h>\\n'
                    'int main(void) { printf("%d", ' + " + ".join(f"{name}()" for name in names) + '); }')
                open("Makefile", "w").write(
                    "O=$(patsubst %.c,%.o,$(wildcard *.c))\\nall: $O\\n\\t$(CC) -o $@ $O\\n$O: all.h\\n")
                with Commits(): sh("make -j4")
                assert sh("./all").stdout == str(24 + sum(range(24)))
                # Times are compared to the nanosecond, before and after a commit.
                for _ in range(2):
                    assert "up to date" in sh("make").stdout
                    commit()
                open("f3.c", "a").write("\\n")
                assert sh("make").stdout.count(" -c ") == 1
                commit()
                assert sh(latest + "/project/all").stdout == sh("./all").stdout
                open("all.h", "r+").write("#define BASE 2")
                sh("make -j4")
                assert sh("./all").stdout == str(48 + sum(range(24)))
                """),
        Practice(
            name: "rsync --inplace",
            program: """
                source, plain = random.Random(5), sys.argv[4] + "/../plain"
                os.mkdir(plain)
                for index in range(8): open(f"{plain}/f{index}", "wb").write(source.randbytes(source.randrange(1 << 20)))
                for round in range(4):
                    for index in range(8):
                        with open(f"{plain}/f{index}", "r+b") as file:
                            size = os.path.getsize(file.name)
                            file.seek(source.randrange(size))
                            file.write(source.randbytes(source.randrange(50_000)))
                            if source.random() < 0.3: file.truncate(source.randrange(size + 50_000))
                    with Commits(): sh(f"rsync -a --inplace --no-whole-file --ignore-times {plain}/ d/")
                    sh(f"diff -r {plain} d")
                    commit()
                    sh(f"diff -r {plain} {latest}/d")
                """),
        Practice(
            name: "tar of a tree that changes",
            program: """
                os.mkdir("d")
                for index in range(200): open(f"d/keep{index}", "w").write(str(index))

                def churn():
                    count = 0
                    while os.path.exists("d/keep0"):
                        path, other = f"d/a{count % 40}", f"d/b{count % 40}"
                        open(path, "w").write("x" * (count % 5000))
                        if count % 3 == 0: os.rename(path, other)
                        elif count % 5 == 0: os.unlink(path)
                        count += 1

                wait = child(churn)
                with Commits():
                    for _ in range(3):
                        done = subprocess.run("tar -cf - d | tar -tf -", shell=True, capture_output=True, text=True)
                        kept = [line for line in done.stdout.splitlines() if "keep" in line]
                        assert len(kept) == len(set(kept)) == 200
                        known = ("changed as we read", "removed before we read", "shrank by")
                        for line in done.stderr.splitlines(): assert any(word in line for word in known), line
                os.unlink("d/keep0")
                wait()
                """),
        Practice(
            name: "files are there while commits go on",
            program: """
                paths = [f"d{index % 4}/f{index}" for index in range(20)]
                for index in range(4): os.mkdir(f"d{index}")

                def write_all(text):
                    for path in paths: append(path, text)

                def look():
                    while os.path.exists("goes-on"):
                        for path in paths:
                            assert open(path, "rb").read().startswith(b"first")
                            os.stat(path)
                        for index in range(4): assert len(os.listdir(f"d{index}")) == 5

                write_all(b"first")
                append("goes-on", b"")
                wait = child(look)
                for _ in range(10):
                    commit()
                    write_all(b"more")
                os.unlink("goes-on")
                wait()
                """),
        Practice(
            name: "inotify",
            program: """
                libc = ctypes.CDLL(None, use_errno=True)
                notify = libc.inotify_init1(os.O_NONBLOCK)
                MODIFY, ATTRIB, CLOSE, FROM, TO, CREATE, DELETE, GONE = 2, 4, 8, 0x40, 0x80, 0x100, 0x200, 0xAC00
                os.mkdir("d")
                append("d/f", b"1")
                directory = libc.inotify_add_watch(notify, b"d", 0xFFF)
                file = libc.inotify_add_watch(notify, b"d/f", MODIFY | ATTRIB | CLOSE | GONE)

                def events():
                    found = set()
                    try: data = os.read(notify, 1 << 16)
                    except BlockingIOError: return found
                    while data:
                        watch, mask, _, length = struct.unpack_from("iIII", data)
                        name = data[16:16 + length].rstrip(b"\\0").decode()
                        found |= {(watch, 1 << bit, name) for bit in range(32) if mask >> bit & 1}
                        data = data[16 + length:]
                    return found

                for round in range(3):
                    events()
                    append("d/f", b"more")
                    open("d/new", "w").close()
                    os.rename("d/new", "d/moved")
                    os.chmod("d/f", 0o600 + round)
                    os.unlink("d/moved")
                    found = events()
                    for mask, name in [
                        (MODIFY, "f"), (CLOSE, "f"), (ATTRIB, "f"), (CREATE, "new"), (FROM, "new"), (TO, "moved"),
                        (DELETE, "moved"),
                    ]: assert (directory, mask, name) in found, (round, mask, name, found)
                    for mask in (MODIFY, CLOSE, ATTRIB): assert (file, mask, "") in found, (round, mask, found)
                    commit()
                    # What was sealed is still what is watched.
                    assert not any(mask & GONE for _, mask, _ in events())
                """),
        Practice(
            name: "a large directory is listed while it grows and shrinks", isOfNames: true,
            program: """
                COUNT = 1500
                os.mkdir("d")
                name = lambda index: f"a-name-of-some-length-{index:06}"
                # How many were made, how many removed, and whether it is over.
                import mmap
                shared = mmap.mmap(-1, 24)
                get = lambda index: struct.unpack_from("q", shared, index * 8)[0]
                put = lambda index, value: struct.pack_into("q", shared, index * 8, value)

                def lists():
                    while not get(2):
                        made = get(0)
                        found = os.listdir("d")
                        removed = get(1)
                        assert len(found) == len(set(found))
                        assert not {name(index) for index in range(removed, made)} - set(found), (removed, made)

                wait = child(lists)
                with Commits():
                    for index in range(COUNT):
                        os.close(os.open("d/" + name(index), os.O_CREAT | os.O_EXCL))
                        put(0, index + 1)
                    assert len(os.listdir("d")) == COUNT
                    for index in range(COUNT):
                        put(1, index + 1)
                        os.unlink("d/" + name(index))
                assert os.listdir("d") == []
                put(2, 1)
                wait()
                os.rmdir("d")
                """),
        Practice(
            name: "names that are one after normalisation", isOfNames: true,
            program: """
                names = [
                    "\\u00e9", "e\\u0301", "\\u00c5", "\\u212b", "A\\u030a", "\\ufb01", "fi", "\\u00df", "ss", "SS", "K",
                    "\\u212a", "k", "\\u0130", "i\\u0307", "\\uac00", "\\u1100\\u1161"]
                names = [name.encode() for name in names] + [b"\\xff", b"\\xc3", b"e\\xcc"]

                def check(top, without=()):
                    present = [name for name in names if name not in without]
                    assert sorted(os.listdir(os.fsencode(top))) == sorted(present)
                    for name in present: assert open(os.path.join(os.fsencode(top), name), "rb").read() == b"<%s>" % name

                for name in names: open(name, "wb").write(b"<%s>" % name)
                check(staging)
                commit()
                check(staging)
                check(latest)
                os.rename(names[0], b"x")
                os.rename(b"x", names[0])
                check(staging)
                os.unlink(names[0])
                check(staging, names[:1])
                commit()
                check(latest, names[:1])
                """),
        Practice(
            name: "1,000 levels", isOfNames: true,
            program: """
                def down(top, make=False):
                    here = os.open(top, os.O_RDONLY)
                    for level in range(1000):
                        if make: os.mkdir(f"level{level}", dir_fd=here)
                        below = os.open(f"level{level}", os.O_RDONLY, dir_fd=here)
                        os.close(here)
                        here = below
                    return here

                def leaf(top, flags):
                    here = down(top)
                    file = os.open("leaf", flags, dir_fd=here)
                    os.close(here)
                    return open(file, "r+b" if flags & os.O_RDWR else "rb", buffering=0)

                os.mkdir("deep")
                here = down("deep", make=True)
                with open(os.open("leaf", os.O_WRONLY | os.O_CREAT, dir_fd=here), "wb") as file: file.write(b"leaf")
                os.close(here)
                commit()
                with leaf(latest + "/deep", os.O_RDONLY) as file: assert file.read() == b"leaf"
                with leaf("deep", os.O_RDWR) as file:
                    assert file.read() == b"leaf"
                    file.write(b"+")
                commit()
                with leaf(latest + "/deep", os.O_RDONLY) as file: assert file.read() == b"leaf+"
                os.rename("deep/level0/level1", "deep/moved")
                assert sh("find deep").stdout.count("\\n") == 1002
                commit()
                sh("rm -r deep")
                commit()
                assert os.listdir(".") == []
                """),
        Practice(
            name: "1,000 hard links", isOfNames: true,
            program: """
                os.mkdir("d")
                open("d/0", "w").write("x")
                for index in range(1, 1001): os.link("d/0", f"d/{index}")
                paths = [f"d/{index}" for index in range(1001)]
                same = lambda: {(os.stat(path).st_ino, os.stat(path).st_nlink) for path in paths}
                read = lambda top: {open(os.path.join(top, path)).read() for path in paths}
                assert len(same()) == 1 and os.stat("d/500").st_nlink == 1001
                append("d/7", b"y")
                assert read(staging) == {"xy"}
                # A file somebody writes to stays staged, under all its names.
                with open("d/8", "ab", buffering=0) as file:
                    commit()
                    file.write(b"z")
                    assert read(staging) == {"xyz"} and os.stat("d/9").st_nlink == 1001 and len(same()) == 1
                commit()
                assert read(latest) == read(staging) == {"xyz"}
                # Each is a file of its own now.
                append("d/5", b"!")
                assert open("d/5").read() == "xyz!" and open("d/6").read() == "xyz"
                shutil.rmtree("d")
                commit()
                """),
        Practice(
            name: "files beyond 4 GiB, and 1 TiB of hole",
            program: """
                TIB = 1 << 40
                places = {0: b"begin", (1 << 31) - 3: b"over 2 GiB", (1 << 32) - 3: b"over 4 GiB", TIB - 3: b"end"}

                def data(file):
                    runs, at = [], 0
                    while True:
                        try: at = os.lseek(file, at, os.SEEK_DATA)
                        except OSError: return runs
                        end = os.lseek(file, at, os.SEEK_HOLE)
                        runs, at = runs + [(at, end)], end

                with open("large", "w+b", buffering=0) as large:
                    file = large.fileno()
                    for place, text in places.items(): assert os.pwrite(file, text, place) == len(text)
                    for place, text in places.items(): assert os.pread(file, len(text), place) == text
                    assert os.fstat(file).st_size == TIB and os.fstat(file).st_blocks < 1000
                    assert os.pread(file, 10, 3 << 32) == bytes(10)
                    runs = data(file)
                    assert len(runs) == 4 and all(
                        start <= place < end for place, (start, end) in zip(places, runs)), runs
                    os.posix_fallocate(file, 5 << 32, 8192)
                    os.ftruncate(file, TIB // 2)
                    assert os.fstat(file).st_size == TIB // 2 and os.pread(file, 10, TIB // 2 - 3) == bytes(3)
                    sh("cp --reflink=never large copy")
                    assert os.stat("copy").st_blocks < 1000 and os.stat("copy").st_size == TIB // 2
                os.unlink("large")
                os.unlink("copy")
                # Over a seal, and a copy-up.
                with open("sparse", "wb") as file:
                    file.truncate(64 << 20)
                    os.pwrite(file.fileno(), b"middle", 40 << 20)
                for round in range(2):
                    commit()
                    for path in ("sparse", latest + "/sparse"): assert os.stat(path).st_blocks < 100 * (round + 1)
                    with open("sparse", "r+b", buffering=0) as file:
                        assert len(data(file.fileno())) == round + 1
                        os.pwrite(file.fileno(), b"more", 50 << 20)
                """),
    ]
}
