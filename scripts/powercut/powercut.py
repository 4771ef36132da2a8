"""Power cuts of a disk on which Firn works. See scripts/powercut.sh."""

import argparse
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from check import Check
from disk import DISK_BYTES, Replay, RecordedDisk, last_words, mounted_image
from load import Load

FILESYSTEMS = ["ext4", "xfs", "btrfs"]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", nargs="?", type=float, default=300)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("filesystems", nargs="*", default=FILESYSTEMS)
    parser.add_argument("--firn", required=True)
    parser.add_argument("--load", type=float, default=8)
    parser.add_argument("--captures", type=int, default=40)
    parser.add_argument("--keep", action="store_true")
    return parser.parse_args()


def compile_recorder(directory):
    source = pathlib.Path(__file__).with_name("blockrecorder.c")
    program = directory / "blockrecorder"
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "fuse3"], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    subprocess.run(["cc", "-O2", "-o", str(program), str(source), *flags], check=True)
    return program


def run_round(options, work, filesystem, seed, tally):
    """One load, and cuts of it. Returns what was wrong."""
    failures = []
    with RecordedDisk(work, work / "blockrecorder", filesystem) as disk:
        load = Load(options.firn, disk, seed)
        try:
            load.run(options.load)
        finally:
            load.stop()
    generator = random.Random(seed)
    replay = Replay(work, disk.log, disk.log_bytes_at_end)
    tally["writes"] += replay.write_count
    tally["flushes"] += replay.flush_count
    tally["commits"] += len(load.listings)
    for capture in replay.captures(options.captures, generator):
        try:
            with mounted_image(work, capture.image, filesystem) as place:
                problems = Check(options.firn, work, place, capture.marks, load.listings).run()
        except subprocess.CalledProcessError as error:
            problems = [f"the disk cannot be mounted: {error}"]
        if problems:
            problems.append(f"the kernel said last: {last_words()}")
        tally["captures"][filesystem] += 1
        tally["kinds"][capture.kind] = tally["kinds"].get(capture.kind, 0) + 1
        if problems:
            text = f"{filesystem}, seed {seed}, {capture}: " + "; ".join(problems)
            print(f"powercut: FAILED: {text}", file=sys.stderr, flush=True)
            failures.append(text)
            if options.keep:
                # As it was cut, before anybody mounted it.
                replay.write(capture, pathlib.Path(tempfile.gettempdir()) / f"powercut-{filesystem}-{seed}.img")
    return failures


def main():
    options = arguments()
    unknown = set(options.filesystems) - set(FILESYSTEMS)
    if unknown:
        sys.exit(f"powercut: not a filesystem this knows: {', '.join(sorted(unknown))}")
    options.firn = str(pathlib.Path(options.firn).resolve())

    def interrupt(number, frame):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    # In memory where there is room: the disk's own speed is not what this is about.
    memory = "/dev/shm"
    has_room = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 6 * DISK_BYTES
    work = pathlib.Path(tempfile.mkdtemp(prefix="firn-powercut.", dir=memory if has_room else None))
    tally = {"captures": dict.fromkeys(options.filesystems, 0), "kinds": {}, "writes": 0, "flushes": 0, "commits": 0}
    failures = []
    start = time.monotonic()
    count = 0
    try:
        compile_recorder(work)
        while count < len(options.filesystems) or time.monotonic() - start < options.seconds:
            filesystem = options.filesystems[count % len(options.filesystems)]
            failures += run_round(options, work, filesystem, options.seed + count, tally)
            count += 1
            seconds = int(time.monotonic() - start)
            print(f"powercut: {seconds} s: {tally['captures']}, {len(failures)} failed", file=sys.stderr, flush=True)
            if time.monotonic() - start >= options.seconds and count >= len(options.filesystems):
                break
    except KeyboardInterrupt:
        sys.exit("powercut: interrupted")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    total = sum(tally["captures"].values())
    print(
        f"powercut: {total} cuts ({', '.join(f'{name} {n}' for name, n in tally['captures'].items())}; "
        f"{', '.join(f'{n} {name}' for name, n in sorted(tally['kinds'].items()))}) of {count} loads with "
        f"{tally['writes']} writes, {tally['flushes']} flushes, {tally['commits']} commits; {len(failures)} failed; "
        f"seeds {options.seed} to {options.seed + count - 1}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
