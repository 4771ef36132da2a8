"""Programs that write, sync, commit, forget and collect garbage in a mount, and note what they were promised."""

import hashlib
import json
import os
import random
import signal
import subprocess
import threading
import time

WRITER_COUNT = 2
FILE_BYTES_MAX = 60_000


def digest(data):
    return hashlib.sha256(data).hexdigest()


def listing(top):
    """What a directory holds, by path: the digest of a file, the target of a symlink, None for a directory."""
    found = {}
    for directory, names, files in os.walk(top):
        base = os.path.relpath(directory, top)
        for name in names:
            found[os.path.normpath(os.path.join(base, name))] = None
        for name in files:
            path = os.path.join(directory, name)
            with open(path, "rb") as file:
                found[os.path.normpath(os.path.join(base, name))] = digest(file.read())
    return found


def sync_directory(path):
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Load:
    def __init__(self, firn, disk, seed):
        self.firn, self.disk, self.seed = firn, disk, seed
        self.store = disk.place / "store"
        self.mount_point = disk.work / "mnt"
        self.mount_point.mkdir(exist_ok=True)
        self.listings = {}
        self.ends = threading.Event()
        self.errors = []
        self.daemon = None

    def tool(self, *words):
        return subprocess.run([self.firn, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, seconds):
        os.sync()
        self.disk.mark(event="begin")
        made = self.tool("init", self.store)
        if made.returncode != 0:
            raise RuntimeError(made.stderr)
        self.disk.mark(event="made")
        mounted = self.tool("mount", "--no-supervise", self.store, self.mount_point)
        if mounted.returncode != 0:
            raise RuntimeError(mounted.stderr)
        self.daemon = json.loads((self.mount_point / ".firn/status").read_text())["mount"]["pid"]
        threads = [threading.Thread(target=self.guarded, args=(Writer(self, i).step, 0)) for i in range(WRITER_COUNT)]
        threads.append(threading.Thread(target=self.guarded, args=(Keeper(self).step, 0.15)))
        for thread in threads:
            thread.start()
        self.ends.wait(seconds)
        self.disk.cut()
        self.ends.set()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def guarded(self, step, pause):
        try:
            while not self.ends.is_set():
                step()
                self.ends.wait(pause)
        except Exception as error:
            self.errors.append(error)
            self.ends.set()

    def stop(self):
        """Leaves no daemon and no mount, whatever happened."""
        self.ends.set()
        if not os.path.ismount(self.mount_point) and self.daemon is None:
            return
        if self.tool("unmount", self.mount_point).returncode != 0:
            subprocess.run(["umount", "--lazy", str(self.mount_point)], stderr=subprocess.DEVNULL)
            if self.daemon is not None:
                try:
                    os.kill(self.daemon, signal.SIGKILL)
                except ProcessLookupError:
                    pass


class Writer:
    """Changes files below a directory of its own and syncs most changes as a careful program does."""

    def __init__(self, load, index):
        self.load = load
        self.generator = random.Random(load.seed * 1000 + index)
        self.name = f"w{index}"
        self.top = load.mount_point / "staging" / self.name
        # What each file holds, by path relative to the top.
        self.files = {}
        self.directories = set()

    def mark(self, event, name, **more):
        self.load.disk.mark(event=event, path=f"{self.name}/{name}", **more)

    def unsure(self, *names):
        for name in names:
            self.mark("unsure", name)

    def sure(self, *names):
        for name in names:
            data = self.files.get(name)
            self.mark("sure", name, digest=None if data is None else digest(data))

    def step(self):
        if not self.top.exists():
            self.top.mkdir()
            sync_directory(self.top.parent)
        choices = [self.write] * 5
        if self.files:
            choices += [self.change, self.empty, self.append, self.replace, self.remove, self.attributes, self.careless, self.link]
        if self.directories:
            choices.append(self.move)
        self.generator.choice(choices)()

    def bytes(self):
        return self.generator.randbytes(self.generator.choice([0, 10, 4096, 5000, FILE_BYTES_MAX]))

    def any_file(self):
        return self.generator.choice(sorted(self.files))

    def directory(self, name):
        return self.top / name.rsplit("/", 1)[0]

    def write(self):
        directory = f"d{self.generator.randrange(6)}"
        name = f"{directory}/f{self.generator.randrange(8)}"
        self.unsure(name)
        if directory not in self.directories:
            (self.top / directory).mkdir()
            sync_directory(self.top)
            self.directories.add(directory)
        self.put(name, self.bytes())

    def put(self, name, data, syncs=True):
        with open(self.top / name, "wb") as file:
            file.write(data)
            file.flush()
            if syncs:
                os.fsync(file.fileno())
        self.files[name] = data
        if syncs:
            sync_directory(self.directory(name))
            self.sure(name)

    def change(self):
        name = self.any_file()
        data = bytearray(self.files[name])
        part = self.generator.randbytes(700)
        at = self.generator.randrange(len(data) + 1)
        self.unsure(name)
        # Sometimes the kernel syncs what it writes, sometimes the program does, and no more than it must.
        syncs_itself = self.generator.random() < 0.5
        handle = os.open(self.top / name, os.O_WRONLY | (os.O_DSYNC if syncs_itself else 0))
        try:
            os.pwrite(handle, part, at)
            if not syncs_itself:
                os.fdatasync(handle)
        finally:
            os.close(handle)
        data[at:at + len(part)] = part
        self.files[name] = bytes(data)
        self.sure(name)

    def empty(self):
        name = self.any_file()
        self.unsure(name)
        handle = os.open(self.top / name, os.O_WRONLY | os.O_TRUNC)
        try:
            os.fdatasync(handle)
        finally:
            os.close(handle)
        self.files[name] = b""
        self.sure(name)

    def append(self):
        name = self.any_file()
        part = self.generator.randbytes(300)
        self.unsure(name)
        with open(self.top / name, "ab") as file:
            file.write(part)
            file.flush()
            os.fsync(file.fileno())
        self.files[name] += part
        self.sure(name)

    def replace(self):
        name = self.any_file()
        data = self.bytes()
        # Either the old or the new is there at any moment, which is not looked at; then the new.
        self.unsure(name)
        with open(self.top / (name + ".new"), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.top / (name + ".new"), self.top / name)
        sync_directory(self.directory(name))
        self.files[name] = data
        self.sure(name)

    def remove(self):
        name = self.any_file()
        self.unsure(name)
        os.unlink(self.top / name)
        sync_directory(self.directory(name))
        del self.files[name]
        self.sure(name)

    def attributes(self):
        name = self.any_file()
        self.unsure(name)
        handle = os.open(self.top / name, os.O_RDONLY)
        os.fchmod(handle, self.generator.choice([0o600, 0o640, 0o644]))
        os.fsync(handle)
        os.close(handle)
        self.sure(name)

    def careless(self):
        name = self.any_file()
        self.unsure(name)
        self.put(name, self.bytes(), syncs=False)

    def link(self):
        name = self.any_file()
        other = f"{name.rsplit('/', 1)[0]}/l{self.generator.randrange(3)}"
        if other in self.files or self.load.ends.is_set():
            return
        self.unsure(name, other)
        os.link(self.top / name, self.top / other)
        sync_directory(self.directory(other))
        # Two names of one file: what one program writes to one shows in the other, so both are left alone again.
        os.unlink(self.top / other)
        sync_directory(self.directory(other))
        self.sure(other)

    def move(self):
        old = self.generator.choice(sorted(self.directories))
        new = f"m{self.generator.randrange(4)}"
        if new in self.directories:
            return
        moved = [name for name in self.files if name.startswith(old + "/")]
        renamed = [new + name[len(old):] for name in moved]
        self.unsure(*moved, *renamed)
        os.rename(self.top / old, self.top / new)
        for before, after in zip(moved, renamed):
            self.files[after] = self.files.pop(before)
            # Also those that were never synced.
            with open(self.top / after, "rb") as file:
                os.fsync(file.fileno())
        self.directories.remove(old)
        self.directories.add(new)
        sync_directory(self.top / new)
        sync_directory(self.top)
        self.sure(*moved, *renamed)


class Keeper:
    """Commits, forgets and collects garbage."""

    def __init__(self, load):
        self.load = load
        self.generator = random.Random(load.seed * 1000 + 999)

    def step(self):
        self.commit()
        if len(self.load.listings) % 5 == 4:
            self.forget()
            # Busy is no failure: another commit may run.
            self.load.tool("gc", "--store", self.load.store)

    def commit(self):
        control = self.load.mount_point / ".firn"
        policy = self.generator.choice(["include", "include", "skip"])
        try:
            with open(control / "commit", "w") as file:
                file.write(json.dumps({"message": "load", "open_files": policy}))
        except OSError:
            return
        outcome = json.loads((control / "last-commit").read_text())
        number = outcome["version"]["number"]
        self.load.disk.mark(event="committed", version=number)
        name = number if isinstance(number, str) else f"v{number:06}"
        self.load.listings[number] = listing(self.load.mount_point / "versions" / name)

    def forget(self):
        known = sorted(self.load.listings)
        if len(known) < 4:
            return
        number = self.generator.choice(known[:-2])
        self.load.disk.mark(event="forgetting", version=number)
        if self.load.tool("forget", str(number), "--store", self.load.store).returncode == 0:
            self.load.disk.mark(event="forgotten", version=number)
