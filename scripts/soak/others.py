"""Who reads, commits, forgets and collects while the writers write, and who kills the daemon."""

import errno
import hashlib
import json
import os
import select
import signal
import stat
import subprocess
import time

from scene import MOUNT_SECONDS_MAX, Failure, Record, now

# Exit statuses of the tool that its caller can meet at any time. See docs/COMMAND-LINE.md.
DONE, FAILED, BUSY, UNCHANGED = 0, 1, 4, 5
VERSIONS_MAX = 24
END_SECONDS_MAX = 10


def read_tree(top):
    """What is below a directory: for each path its digest, mode, size and modification time."""
    found = {}
    pending = [""]
    while pending:
        directory = pending.pop()
        for entry in os.scandir(os.path.join(top, directory)):
            path = os.path.join(directory, entry.name)
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
                continue
            with open(os.path.join(top, path), "rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[path] = [digest, stat.S_IMODE(status.st_mode), status.st_size, status.st_mtime_ns]
    return found


def digest_of_tree(tree):
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


class Reader:
    """Reads versions, each more than once; the bytes and attributes must be the same each time."""

    def __init__(self, scene, number):
        self.scene = scene
        self.random = scene.random("reader", number)
        self.record = Record(scene, f"reader{number}")
        self.seen = {}

    def run(self):
        while not self.scene.stopping.is_set():
            mark = self.scene.wait_for_daemon()
            try:
                self.read_some()
            except OSError as error:
                if not self.scene.was_killed_since(mark):
                    raise Failure(f"{error} though the daemon was there all the time")
            time.sleep(self.random.random() * 0.05)

    def read_some(self):
        names = [name for name in os.listdir(self.scene.versions) if name.startswith("v0")]
        if not names:
            return
        name = self.random.choice(sorted(names))
        try:
            digest = digest_of_tree(read_tree(self.scene.versions / name))
        except OSError as error:
            # Forgotten under the reader's hands, which the proof looks into.
            if error.errno in (errno.ENOENT, errno.ESTALE) and self.is_gone(name):
                self.record.write(gone=name, at=now())
                return
            raise
        if name not in self.seen:
            self.seen[name] = digest
            self.record.write(name=name, digest=digest)
        elif self.seen[name] != digest:
            raise Failure(f"{name} is not what it was")

    def is_gone(self, name):
        return name not in os.listdir(self.scene.versions)


class Committer:
    def __init__(self, scene):
        self.scene = scene
        self.random = scene.random("committer")
        self.record = Record(scene, "commits")
        self.count = 0

    def run(self):
        while not self.scene.stopping.is_set():
            self.commit()
            time.sleep(self.random.random() * 0.8)

    def commit(self, *, must=False):
        self.count += 1
        message = f"attempt {self.count}"
        mark = self.scene.tool_mark()
        # One in four through the mount, as a container would; one in ten dies of its own.
        way = "tool" if must else self.random.choice(("tool", "tool", "tool", "file"))
        kill_after = self.random.random() * 0.1 if not must and self.random.random() < 0.1 else None
        number = None
        begun = now()
        if way == "file":
            outcome, why = self.through_file(message)
            ended = now()
        else:
            done = self.scene.run(
                "commit", "--store", self.scene.store, "-m", message, "--json", "--allow-empty", kill_after=kill_after)
            ended = now()
            outcome, why = done.returncode, done.stderr
            if outcome == DONE:
                number = json.loads(done.stdout)["version"]["number"]
        if outcome == DONE:
            state = "acknowledged"
        elif outcome in (BUSY, UNCHANGED):
            state = "refused"
        elif kill_after is not None or self.scene.is_tool_excused(mark):
            state = "unknown"
        else:
            raise Failure(f"a commit failed with {outcome}: {why.strip()}")
        if must and state != "acknowledged":
            raise Failure(f"the last commit ended with {outcome}: {why.strip()}")
        self.record.write(message=message, begun=begun, ended=ended, state=state, way=way, number=number)

    def through_file(self, message):
        try:
            with open(self.scene.mount_point / ".firn" / "commit", "wb", buffering=0) as file:
                file.write(json.dumps({"message": message}).encode())
            return DONE, ""
        except OSError as error:
            if error.errno == errno.EBUSY:
                return BUSY, ""
            return (UNCHANGED if error.errno == errno.ENODATA else FAILED), str(error)


class Maintainer:
    """Forgets versions and collects garbage; now and then its tool is killed."""

    def __init__(self, scene):
        self.scene = scene
        self.random = scene.random("maintainer")
        self.record = Record(scene, "forgets")

    def run(self):
        while not self.scene.stopping.is_set():
            mark = self.scene.tool_mark()
            try:
                self.random.choice((self.forget, self.forget, self.collect))(mark)
            except Failure:
                if not self.scene.is_tool_excused(mark):
                    raise
            time.sleep(self.random.random() * 1.5)

    def forget(self, mark):
        numbers = sorted(self.scene.log())[:-1]
        if not numbers:
            return
        count = max(1, len(numbers) - VERSIONS_MAX)
        chosen = self.random.sample(numbers, min(count, len(numbers)))
        names = [f"v{number}" for number in chosen]
        kill_after = self.random.random() * 0.05 if self.random.random() < 0.1 else None
        self.record.write(versions=chosen, state="begun", at=now())
        done = self.scene.run("forget", "--store", self.scene.store, *names, kill_after=kill_after)
        if done.returncode == DONE:
            self.record.write(versions=chosen, state="done", at=now())
        elif done.returncode == BUSY:
            self.record.write(versions=chosen, state="refused", at=now())
        elif kill_after is None and not self.scene.is_tool_excused(mark):
            raise Failure(f"forget {' '.join(names)} ended with {done.returncode}: {done.stderr.strip()}")

    def collect(self, mark):
        kill_after = self.random.random() * 0.2 if self.random.random() < 0.1 else None
        done = self.scene.run("gc", "--store", self.scene.store, kill_after=kill_after)
        if done.returncode == DONE:
            self.record.write(versions=[], state="collected", at=now())
        elif done.returncode != BUSY and kill_after is None and not self.scene.is_tool_excused(mark):
            raise Failure(f"gc ended with {done.returncode}: {done.stderr.strip()}")


class Daemon:
    """Mounts, kills and mounts again; or kills only, where a supervisor sees to the rest."""

    def __init__(self, scene, is_supervised):
        self.scene = scene
        self.is_supervised = is_supervised
        self.random = scene.random("killer")

    @staticmethod
    def can_be_supervised(scene):
        return "--no-supervise" in scene.must("mount", "--help")

    def mount(self):
        """What a person would do: `firn mount`, again while the store is someone else's for a moment."""
        options = ["--no-supervise"] if not self.is_supervised and self.can_be_supervised(self.scene) else []
        limit = time.monotonic() + MOUNT_SECONDS_MAX
        while True:
            done = self.scene.run("mount", self.scene.store, self.scene.mount_point, *options)
            if done.returncode == DONE:
                return
            if done.returncode != BUSY or time.monotonic() > limit:
                raise Failure(f"firn mount ended with {done.returncode}: {done.stderr.strip()}")
            time.sleep(0.02)

    def pid(self):
        """Whose the store is, by what its lock says; None where that is nobody's, or no daemon's."""
        try:
            pid = int((self.scene.store / "lock").read_text())
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return pid if b"mount" in file.read().split(b"\0") else None
        except (OSError, ValueError):
            return None

    def kill(self):
        """Ends the daemon as the worst crash of a program would, and waits until it is gone."""
        limit = time.monotonic() + MOUNT_SECONDS_MAX
        while (pid := self.pid()) is None:
            # The one before may have been killed a moment ago.
            if not self.is_supervised or time.monotonic() > limit:
                raise Failure("there is no daemon")
            time.sleep(0.005)
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        self.scene.count_kill(is_noticed=not self.is_supervised)
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            # Without a supervisor it may need the next mount to end: see README.md, "Guarantees and limits".
            if not select.select([handle], [], [], MOUNT_SECONDS_MAX if self.is_supervised else 5)[0]:
                if self.is_supervised:
                    raise Failure(f"the daemon {pid} does not end")
        finally:
            os.close(handle)

    def kill_and_mount(self):
        self.kill()
        if self.is_supervised:
            return
        time.sleep(self.random.choice((0, 0, 0.3)) * self.random.random())
        self.detach()
        self.mount()
        self.scene.count_return()

    def run(self, seconds):
        """Kills now and then for so long, or until something has failed."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.scene.stopping.is_set():
            pause = self.random.choice((0.05, 0.5, 1, 2, 4, 8)) * (0.5 + self.random.random())
            self.scene.stopping.wait(max(0, min(pause, end - time.monotonic())))
            if time.monotonic() < end and not self.scene.stopping.is_set():
                self.kill_and_mount()

    def unmount(self):
        self.scene.must("unmount", self.scene.mount_point)

    def is_mounted(self):
        return f" {self.scene.mount_point} " in open("/proc/self/mountinfo").read()

    def detach(self):
        """Takes the mount away, and whoever waits for an answer from it gets an error."""
        if self.is_mounted():
            subprocess.run(
                ["umount", "-f", "-l", self.scene.mount_point] if os.geteuid() == 0 else
                ["fusermount3", "-u", "-z", self.scene.mount_point], check=True)

    def clean_up(self):
        """Leaves no mount and no process, whatever has happened."""
        left = self.processes()
        self.detach()
        limit = time.monotonic() + END_SECONDS_MAX
        while left := left & self.processes():
            if time.monotonic() > limit:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                break
            time.sleep(0.01)

    def processes(self):
        """The daemon and its supervisor."""
        found = set()
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except OSError:
                continue
            if b"mount" in words and os.fsencode(self.scene.store) in words:
                found.add(int(name))
        return found
