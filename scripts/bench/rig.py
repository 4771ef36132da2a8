"""A store, its mount and a plain directory beside it, and how to time things on both."""

import ctypes
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from loops import Loops

WAIT_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 3600
IDLE_SECONDS = 0.5
# The two sides of most measurements.
NATIVE, FIRN = "native", "Firn"


class Rig:
    """Works in a directory of its own and leaves nothing behind: no file, no mount, no process."""

    def __init__(self, firn, directory, rounds):
        self.firn = str(pathlib.Path(firn).resolve())
        self.rounds = rounds
        self.is_root = os.geteuid() == 0
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="firn-bench.", dir=directory)).resolve()
        self.native = self.work / "native"
        self.store = self.work / "store"
        self.mount_point = self.work / "mnt"
        try:
            for made in (self.native, self.mount_point):
                made.mkdir()
            self.loops = Loops(self.work)
            self.has_passthrough_option = b"--passthrough" in self.run("mount", "--help")
        except BaseException:
            shutil.rmtree(self.work)
            raise

    @property
    def staging(self):
        return self.mount_point / "staging"

    @property
    def latest(self):
        return self.mount_point / "versions" / "latest"

    # Firn

    def run(self, *arguments):
        """Runs the tool, which must succeed; returns what it printed."""
        done = subprocess.run(
            [self.firn, *map(str, arguments)], stdout=subprocess.PIPE, check=True, timeout=COMMAND_SECONDS_MAX)
        return done.stdout

    def seconds(self, *arguments):
        """How long the tool runs."""
        return timed(lambda: self.run(*arguments))

    def own_seconds(self, *arguments):
        """How long the tool runs, and how much of that is not its start and end."""
        start = self.seconds("--version")
        whole = self.seconds(*arguments)
        return whole, max(0, whole - start)

    def new_store(self, *mount_options):
        """A new, mounted store in place of the one before."""
        self.remove_store()
        self.run("init", self.store)
        self.mount(*mount_options)

    def remove_store(self):
        if self.is_mounted():
            self.unmount()
        shutil.rmtree(self.store, ignore_errors=True)

    def mount(self, *options):
        """Returns the seconds it took."""
        return self.seconds("mount", self.store, self.mount_point, *options)

    def unmount(self):
        self.run("unmount", self.mount_point)

    def remount(self):
        self.unmount()
        return self.mount()

    def commit(self, message):
        """Returns the seconds it took and for how many of them changes were held up."""
        start = time.perf_counter()
        output = self.run("commit", "--store", self.store, "-m", message, "--json")
        return time.perf_counter() - start, find_key(json.loads(output), "pause_ms") / 1000

    def commit_by_file(self, message):
        """As a program does that has the mount before it, without the tool. Returns the seconds it took."""
        start = time.perf_counter()
        with open(self.mount_point / ".firn" / "commit", "w") as file:
            json.dump({"message": message}, file)
        return time.perf_counter() - start

    def stored_bytes(self):
        """What the store takes on the disk, once the daemon has removed what a commit has replaced."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while any((self.store / "tmp").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return stored_bytes(self.store)

    def status(self, key):
        """What `firn status` says of a thing; None where it says nothing."""
        return find_key(json.loads(self.run("status", "--store", self.store, "--json")), key)

    def wait_until_hashed(self):
        """Until nothing is left for the background to hash: nothing waits and the daemon does not work."""
        deadline = time.monotonic() + COMMAND_SECONDS_MAX
        while time.monotonic() < deadline:
            before = self.processor_ticks()
            time.sleep(IDLE_SECONDS)
            if self.processor_ticks() == before and not self.status("pending_hashes"):
                return
        raise RuntimeError("the daemon does not come to rest")

    # The daemon

    def daemon(self):
        """The daemon's process, by what it wrote to the store's lock; None where there is none."""
        try:
            pid = int((self.store / "lock").read_text())
            return pid if os.readlink(f"/proc/{pid}/exe").startswith(self.firn_program()) else None
        except (OSError, ValueError):
            return None

    def firn_program(self):
        # FIRN may name a script that runs the program.
        return os.environ.get("FIRN_DRIVER", self.firn)

    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.daemon()}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("the daemon has no VmRSS")

    def processor_ticks(self):
        fields = pathlib.Path(f"/proc/{self.daemon()}/stat").read_text().rsplit(") ", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def show_log(self):
        """The end of what the daemon has to say, which goes away with the store."""
        log = self.store / "firn.log"
        if log.exists():
            ended = "" if self.daemon() else ", which has ended"
            print(f"bench: the end of the daemon's log{ended}:", file=sys.stderr)
            print("\n".join(log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)

    # Cleaning up

    def is_mounted(self):
        return is_mounted(self.mount_point)

    def force_unmount(self):
        """Whatever state the mount is in."""
        daemon = self.daemon()
        if self.is_mounted():
            try:
                subprocess.run(
                    [self.firn, "unmount", str(self.mount_point)], stdout=subprocess.DEVNULL, timeout=WAIT_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                pass
        if self.is_mounted():
            subprocess.run(["fusermount3", "-u", "-z", str(self.mount_point)])
        if daemon is not None and not wait_until_gone(daemon):
            os.kill(daemon, signal.SIGKILL)

    def clear(self):
        """After a group: no store, and nothing beside it."""
        self.force_unmount()
        if self.is_mounted():
            raise RuntimeError(f"{self.mount_point} cannot be unmounted")
        shutil.rmtree(self.store, ignore_errors=True)
        shutil.rmtree(self.native, ignore_errors=True)
        self.native.mkdir()

    def clean_up(self):
        self.force_unmount()
        if any(is_mounted(place) for place in self.work.iterdir()):
            print(f"bench: {self.work} holds a mount and is left", file=sys.stderr)
        else:
            shutil.rmtree(self.work, ignore_errors=True)

    # Timing

    def interleaved(self, sides, steps, before=lambda side, place: None):
        """Medians, by step and side, of rounds in which the sides take turns and each goes first in its turn.

        `sides` are places by name. `steps` are functions of a place, done one after the other, that return seconds.
        `before` is done before the steps and not timed."""
        times = {step: {side: [] for side in sides} for step in steps}
        names = list(sides)
        for number in range(self.rounds):
            shift = number % len(names)
            for side in names[shift:] + names[:shift]:
                before(side, sides[side])
                for step, body in steps.items():
                    times[step][side].append(body(sides[side]))
        return {step: {side: statistics.median(of) for side, of in found.items()} for step, found in times.items()}

    def median(self, body):
        return statistics.median(body() for _ in range(self.rounds))

    def drop_caches(self, what=3):
        os.sync()
        if self.is_root:
            pathlib.Path("/proc/sys/vm/drop_caches").write_text(f"{what}\n")


def timed(body):
    start = time.perf_counter()
    body()
    return time.perf_counter() - start


def command_seconds(*words, **options):
    """How long a program runs that must succeed and whose output is of no interest."""
    options = {"stdout": subprocess.DEVNULL, "timeout": COMMAND_SECONDS_MAX} | options
    return timed(lambda: subprocess.run(list(map(str, words)), check=True, **options))


def is_mounted(place):
    # The mount table, because looking at the mountpoint fails once its daemon is gone.
    shown = f" {place} ".replace("\\", "\\134")
    return shown in pathlib.Path("/proc/self/mountinfo").read_text()


def find_key(value, key):
    """The first value of that key at any depth of a JSON document."""
    if isinstance(value, dict):
        if key in value:
            return value[key]
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            found = find_key(item, key)
            if found is not None:
                return found
    return None


def wait_until_gone(pid):
    for _ in range(WAIT_SECONDS_MAX * 20):
        if not pathlib.Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def sync_filesystem(place):
    """Until everything is on the disk that was written to the filesystem that `place` lies on."""
    descriptor = os.open(place, os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    failed = libc.syncfs(descriptor)
    os.close(descriptor)
    if failed:
        raise OSError(ctypes.get_errno(), "syncfs")


def stored_bytes(*places):
    """What the files below some directories take on the disk, each counted once."""
    os.sync()
    blocks = {}
    for place in places:
        for directory, _, names in os.walk(place):
            for name in names + [""]:
                status = os.lstat(os.path.join(directory, name))
                blocks[status.st_ino] = status.st_blocks
    return sum(blocks.values()) * 512
