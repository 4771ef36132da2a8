"""A writer owns one directory of staging and knows at every moment what is in it."""

import errno
import os
import stat

from content import Value, bytes_of, is_between, patch_of, record
from scene import Failure, Record, now

DIRECTORIES = ("a", "b", "c")
SPARE_DIRECTORY = "d"
FILES_EACH = 12
LOGS = ("a.log", "b.log")
TEMPORARY = ".t"
CHUNK_BYTES = 60_000


class Change:
    """One operation: what the paths it touches hold afterwards, and how it is done."""

    def __init__(self, after, act, *, is_torn=False, mark=None):
        self.after = after
        self.act = act
        # Since when the daemon must have been there for it to succeed, if not from its beginning.
        self.mark = mark
        # Whether other states than before and after can be seen while it goes on. It can be done over again then.
        self.is_torn = is_torn


class Writer:
    def __init__(self, scene, name):
        self.scene = scene
        self.name = name
        self.random = scene.random("writer", name)
        self.top = scene.staging / name
        self.record = Record(scene, name)
        # What each path below `top` holds. Paths that are not there are not in it.
        self.held = {}
        self.generation = 0
        # Logs that are held open, each with the mark of the daemon it was opened under. With passthrough they can be
        # written to after that has been killed; without, they cannot.
        self.logs = {}

    def run(self):
        self.attempt(Change({}, self.make_directories))
        while not self.scene.stopping.is_set():
            self.attempt(self.choose())
        self.close_logs(*self.logs)

    def close_logs(self, *paths):
        for path in paths:
            os.close(self.logs.pop(path)[0])

    def make_directories(self):
        for place in (self.top, *(self.top / name for name in DIRECTORIES)):
            try:
                os.mkdir(place)
            except FileExistsError:
                pass

    # Doing it, whatever happens to the daemon

    def attempt(self, change):
        mark = self.scene.wait_for_daemon()
        begun = now()
        try:
            change.act()
        except OSError as error:
            if not self.scene.was_killed_since(mark if change.mark is None else change.mark):
                raise Failure(f"{self.name}: {error} though the daemon was there all the time; {change.after}")
            self.recover(change)
        self.record.write(
            begun=begun, ended=now(), torn=change.is_torn,
            after=change.after)
        self.take(change.after)

    def take(self, after):
        for path, value in after.items():
            if value is None:
                self.held.pop(path, None)
            else:
                self.held[path] = value

    def recover(self, change):
        """The daemon was killed during `change`. Everything that was acknowledged must be there once it is back, and
        the change itself wholly or not at all. It is done over again if it was not."""
        self.close_logs(*self.logs)
        while True:
            mark = self.scene.wait_for_daemon()
            try:
                if not self.is_done(change):
                    change.act()
                return
            except (OSError, Failure) as error:
                # Between two daemons the paths lead nowhere.
                if not self.scene.was_killed_since(mark):
                    raise Failure(f"{self.name}: {error}; the daemon was there; {change.after}")

    def is_done(self, change):
        found = self.look()
        done, undone = 0, 0
        for path in sorted(self.held.keys() | found.keys() | change.after.keys()):
            before = self.held.get(path)
            if path not in change.after:
                self.require(path, found.get(path), before)
                continue
            after = change.after[path]
            if self.matches(found.get(path), after):
                done += before != after
            elif self.matches(found.get(path), before):
                undone += 1
            elif change.is_torn and path in found and is_between(self.scene.seed, found[path][0], before, after):
                undone += 1
                if before and after.kind == "log":
                    # A part of the record, which is written again.
                    os.truncate(self.top / path, len(bytes_of(self.scene.seed, before)))
            else:
                self.require(path, found.get(path), after)
        if done and undone and not change.is_torn:
            raise Failure(f"{self.name}: half of a change is there after the daemon was killed: {change.after}")
        return not undone

    def look(self):
        """The bytes and modes of all files. What was being made under a temporary name is thrown away."""
        found = {}
        if not self.top.exists():
            return found
        for directory in os.listdir(self.top):
            for name in os.listdir(self.top / directory):
                path = f"{directory}/{name}"
                if name == TEMPORARY:
                    os.unlink(self.top / path)
                    continue
                data = (self.top / path).read_bytes()
                found[path] = (data, stat.S_IMODE(os.stat(self.top / path).st_mode))
        return found

    def matches(self, found, value):
        if found is None or value is None:
            return found is None and value is None
        return found[1] == value.mode and found[0] == bytes_of(self.scene.seed, value)

    def require(self, path, found, value):
        if not self.matches(found, value):
            what = "nothing" if found is None else f"{len(found[0])} bytes, mode {found[1]:o}"
            want = "nothing" if value is None else f"{len(bytes_of(self.scene.seed, value))} bytes, mode {value.mode:o}"
            raise Failure(f"{self.name}/{path} holds {what} after a kill and must hold {want}: {value}")

    # What it does

    def choose(self):
        weights = {
            self.replace: 8, self.rewrite: 4, self.patch: 5, self.append: 30, self.remove: 3, self.rename: 4,
            self.link: 3, self.change_mode: 4, self.rename_directory: 1,
        }
        while True:
            change = self.random.choices(list(weights), weights.values())[0]()
            if change is not None:
                return change

    def directories(self):
        present = {path.split("/")[0] for path in self.held}
        return sorted(present) if len(present) == len(DIRECTORIES) else None

    def any_path(self, kind):
        """A path a file of that kind has or can have: `f` is only ever replaced, `i` is written in place."""
        directory = self.random.choice(self.directories() or list(DIRECTORIES))
        return f"{directory}/{kind}{self.random.randrange(FILES_EACH)}"

    def some_file(self, kind):
        paths = sorted(path for path in self.held if path.split("/")[1].startswith(kind))
        return self.random.choice(paths) if paths else None

    def new_value(self, path):
        self.generation += 1
        return Value("whole", f"{self.name}/{path}", self.generation, 0o600 | self.generation % 8 << 3)

    def replace(self):
        path = self.any_path("f")
        value = self.new_value(path)
        temporary = self.top / os.path.dirname(path) / TEMPORARY
        syncs = self.random.random() < 0.2

        def act():
            self.fill(temporary, value, syncs)
            os.rename(temporary, self.top / path)

        return Change({path: value}, act)

    def rewrite(self):
        path = self.any_path("i")
        value = self.new_value(path)
        if before := self.held.get(path):
            value = value._replace(mode=before.mode)
        syncs = self.random.random() < 0.2
        return Change({path: value}, lambda: self.fill(self.top / path, value, syncs), is_torn=True)

    def fill(self, path, value, syncs):
        data = bytes_of(self.scene.seed, value)
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.fchmod(file, value.mode)
            for place in range(0, len(data), CHUNK_BYTES):
                chunk = data[place:place + CHUNK_BYTES]
                if chunk.strip(b"\0"):
                    write_all(file, chunk, place)
            os.ftruncate(file, len(data))
            if syncs:
                os.fsync(file)
        finally:
            os.close(file)

    def patch(self):
        path = self.some_file("i")
        if path is None:
            return None
        before = self.held[path]
        size = len(bytes_of(self.scene.seed, before))
        if size == 0 or len(before.patches) > 20:
            return None
        self.generation += 1
        value = before._replace(patches=(*before.patches, self.generation))
        place, piece = patch_of(self.scene.seed, value.origin, self.generation, size)

        def act():
            file = os.open(self.top / path, os.O_RDWR)
            try:
                write_all(file, piece, place)
            finally:
                os.close(file)

        return Change({path: value}, act, is_torn=True)

    def append(self):
        directory = self.directories()
        if directory is None:
            return None
        path = f"{directory[0]}/{self.random.choice(LOGS)}"
        before = self.held.get(path)
        if before is None:
            self.generation += 1
            before = Value("log", f"{self.name}/{path}/{self.generation}", 0, 0o640)
        value = before._replace(generation=before.generation + 1)
        line = record(self.scene.seed, value.origin, before.generation)
        keeps = self.random.random() < 0.9

        _, mark = self.logs.get(path, (None, None))

        def act():
            if path not in self.logs:
                opened_under = self.scene.returns.value
                file = os.open(self.top / path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                self.logs[path] = file, opened_under
                os.fchmod(file, value.mode)
            count = os.write(self.logs[path][0], line)
            if count != len(line):
                raise OSError(errno.EIO, f"{count} of {len(line)} bytes were written")
            if not keeps:
                self.close_logs(path)

        return Change({path: value}, act, is_torn=True, mark=mark)

    def remove(self):
        path = self.some_file("f") or self.some_file("i")
        # A directory that holds nothing would be no directory for the model.
        if path is None or sum(other.startswith(path[:2]) for other in self.held) < 2:
            return None
        return Change({path: None}, lambda: os.unlink(self.top / path))

    def rename(self):
        kind = self.random.choice("fi")
        source, target = self.some_file(kind), self.any_path(kind)
        if source is None or source == target or sum(other.startswith(source[:2]) for other in self.held) < 2:
            return None
        # Renaming one of two names of one file onto the other does nothing.
        if self.held.get(target) == self.held[source]:
            return None
        return Change(
            {source: None, target: self.held[source]}, lambda: os.rename(self.top / source, self.top / target))

    def link(self):
        source, target = self.some_file("f"), self.any_path("f")
        if source is None or target in self.held:
            return None
        return Change({target: self.held[source]}, lambda: os.link(self.top / source, self.top / target))

    def change_mode(self):
        # Not of a file that has a second name: only until a commit does that have the same mode.
        path = self.some_file("i")
        if path is None:
            return None
        self.generation += 1
        mode = 0o600 | self.generation % 8 << 3
        return Change({path: self.held[path]._replace(mode=mode)}, lambda: os.chmod(self.top / path, mode))

    def rename_directory(self):
        present = self.directories()
        if present is None:
            return None
        source = self.random.choice(present)
        target = next(name for name in (*DIRECTORIES, SPARE_DIRECTORY) if name not in present)
        after = {}
        for path in self.held:
            if path.startswith(source + "/"):
                after[path] = None
                after[target + path[1:]] = self.held[path]

        def act():
            os.rename(self.top / source, self.top / target)

        # Open logs go on under their new names.
        self.close_logs(*[path for path in self.logs if path.startswith(source + "/")])
        return Change(after, act)


def write_all(file, data, place):
    while data:
        count = os.pwrite(file, data, place)
        data, place = data[count:], place + count
