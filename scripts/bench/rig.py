"""A store, its mount and a plain directory beside it, and how to time things on both."""

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

WAIT_SECONDS_MAX = 60
COMMAND_SECONDS_MAX = 600


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
        for made in (self.native, self.mount_point):
            made.mkdir()

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

    def new_store(self):
        """A new, mounted store in place of the one before."""
        self.remove_store()
        self.run("init", self.store)
        self.mount()

    def remove_store(self):
        if self.is_mounted():
            self.unmount()
        shutil.rmtree(self.store, ignore_errors=True)

    def mount(self):
        """Returns the seconds it took."""
        start = time.perf_counter()
        self.run("mount", self.store, self.mount_point)
        return time.perf_counter() - start

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

    # Cleaning up

    def is_mounted(self):
        # The mount table, because looking at the mountpoint fails once its daemon is gone.
        place = f" {self.mount_point} ".replace("\\", "\\134")
        return place in pathlib.Path("/proc/self/mountinfo").read_text()

    def clean_up(self, has_failed=False):
        daemon = self.daemon()
        log = self.store / "firn.log"
        if has_failed and log.exists():
            # What the daemon has to say about it goes away with the store.
            print("bench: the end of the daemon's log" + ("" if daemon else ", which has ended") + ":", file=sys.stderr)
            print("\n".join(log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
        if self.is_mounted():
            try:
                subprocess.run([self.firn, "unmount", str(self.mount_point)], timeout=WAIT_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                pass
        if self.is_mounted():
            subprocess.run(["fusermount3", "-u", "-z", str(self.mount_point)])
        if daemon is not None and not wait_until_gone(daemon):
            os.kill(daemon, signal.SIGKILL)
        if self.is_mounted():
            print(f"bench: {self.mount_point} could not be unmounted and is left", file=sys.stderr)
        else:
            shutil.rmtree(self.work, ignore_errors=True)

    # Timing

    def interleaved(self, native, firn, before=lambda is_firn: None):
        """Medians of rounds in which each of the two is timed once, in turns. `before` is not timed."""
        times = {False: [], True: []}
        for number in range(self.rounds):
            for is_firn in (False, True) if number % 2 == 0 else (True, False):
                before(is_firn)
                times[is_firn].append(timed(firn if is_firn else native))
        return statistics.median(times[False]), statistics.median(times[True])

    def drop_caches(self):
        os.sync()
        if self.is_root:
            pathlib.Path("/proc/sys/vm/drop_caches").write_text("3\n")


def timed(body):
    start = time.perf_counter()
    body()
    return time.perf_counter() - start


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


def make_files(directory, directories, files, size):
    """`directories` directories of `files` files each, all of different bytes."""
    for number in range(directories):
        place = directory / f"part-{number:04}"
        place.mkdir(parents=True)
        for index in range(files):
            with open(place / f"sample-{index:05}.bin", "wb", buffering=0) as file:
                file.write(os.urandom(min(size, 64)).ljust(size, b"."))


def list_all(directory):
    subprocess.run(["find", str(directory) + "/", "-ls"], stdout=subprocess.DEVNULL, check=True)
