"""What all processes of a soak share: places, the seed, the daemon's state, records, and how to fail."""

import json
import multiprocessing
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
import traceback

COMMAND_SECONDS_MAX = 300
MOUNT_SECONDS_MAX = 60


class Failure(Exception):
    """What must not happen has happened."""


class Scene:
    def __init__(self, firn, work, seed):
        self.firn = firn
        self.seed = seed
        self.work = pathlib.Path(work)
        self.store = self.work / "store"
        self.mount_point = self.work / "mnt"
        self.records = self.work / "records"
        self.stopping = multiprocessing.Event()
        # How often the daemon was killed so that programs can notice, and how often it was there again. Counted before
        # the one and after the other: whoever sees them equal, and equal still afterwards, had a daemon all the time.
        self.kills = multiprocessing.Value("q", 0)
        self.returns = multiprocessing.Value("q", 0)
        # How often in all.
        self.all_kills = multiprocessing.Value("q", 0)

    @property
    def staging(self):
        return self.mount_point / "staging"

    @property
    def versions(self):
        return self.mount_point / "versions"

    def random(self, *words):
        return random.Random("/".join(map(str, (self.seed, *words))))

    # The daemon's comings and goings

    def wait_for_daemon(self):
        """Waits until it is there; returns a mark for `was_killed_since`."""
        limit = time.monotonic() + MOUNT_SECONDS_MAX * 2
        while True:
            mark = self.returns.value
            if self.kills.value == mark:
                return mark
            if time.monotonic() > limit:
                raise Failure("the mount did not come back")
            time.sleep(0.005)

    def was_killed_since(self, mark):
        return self.kills.value != mark

    def count_kill(self, *, is_noticed):
        for counter in (self.kills, self.all_kills) if is_noticed else (self.all_kills,):
            with counter.get_lock():
                counter.value += 1

    def count_return(self):
        with self.returns.get_lock():
            self.returns.value += 1

    def tool_mark(self):
        """For `is_tool_excused`: nobody promises that the tool outlives the daemon it speaks to."""
        return self.all_kills.value, self.kills.value == self.returns.value

    def is_tool_excused(self, mark):
        return not mark[1] or self.all_kills.value != mark[0]

    # The tool

    def run(self, *arguments, kill_after=None):
        """Runs the tool to its end, or kills it after so many seconds."""
        process = subprocess.Popen(
            [self.firn, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, cwd="/")
        try:
            output, complaints = process.communicate(timeout=kill_after or COMMAND_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            output, complaints = process.communicate()
            if kill_after is None:
                raise Failure(f"firn {' '.join(map(str, arguments))} did not end in {COMMAND_SECONDS_MAX} s")
        return subprocess.CompletedProcess(process.args, process.returncode, output, complaints)

    def must(self, *arguments):
        done = self.run(*arguments)
        if done.returncode != 0:
            words = " ".join(map(str, arguments))
            raise Failure(f"firn {words} ended with {done.returncode}: {done.stderr}{done.stdout[-2000:]}")
        return done.stdout

    def log(self):
        """All versions that there are, by number."""
        return {version["number"]: version for version in json.loads(self.must("log", "--store", self.store, "--json"))}


class Record:
    """One process's account of what it did, outside of the mount. A line is one JSON value."""

    def __init__(self, scene, name):
        self.path = scene.records / f"{name}.jsonl"
        self.file = open(self.path, "a", buffering=1)

    def write(self, **fields):
        self.file.write(json.dumps(fields) + "\n")

    @staticmethod
    def read(scene, name):
        path = scene.records / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def now():
    """Nanoseconds of a clock that all processes share."""
    return time.monotonic_ns()


def process(scene, name, body):
    """Starts `body` in a process of its own. What it fails with ends the soak."""

    def run():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            body()
        except BaseException as failure:
            scene.stopping.set()
            print(f"soak: {name}: {type(failure).__name__}: {failure}", file=sys.stderr, flush=True)
            if not isinstance(failure, Failure):
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)

    started = multiprocessing.get_context("fork").Process(target=run, name=name, daemon=True)
    started.start()
    return started
