"""Commits of new bytes: a checkpoint, many files, and a directory of which little changed."""

import os
import shutil
import statistics
import subprocess

from loops import file_name
from rig import sync_filesystem, timed
from rows import Point, Row, at_most, missing, ratio_at_most
from sizes import FILE_BYTES, human, size_text

EACH = 100
PARTS = 4
# How much dearer a file may be among many than among a few, to be called the same.
FLAT = 1.2
CHANGED_FILE_BYTES = 64 << 10
# Small commits after each large one.
CHANGES = 5


def checkpoint(rig, sizes):
    """One file whose hash is done, one without, and the same bytes in several files."""
    text = size_text(sizes.checkpoint_bytes)
    pairs = [commit_hashed(rig, sizes) for _ in range(rig.rounds)]
    seconds, pause = (statistics.median(of) * 1e3 for of in zip(*pairs))
    what = f"commit of a {text} checkpoint, hashed before"
    yield Row(what, "ms", seconds, target=at_most(20))
    yield Row(f"{what}: pause", "ms", pause, target=at_most(5))
    for parts, shown in ((1, f"a {text} checkpoint"), (PARTS, f"{text} in {PARTS} files")):
        what, target = f"commit of {shown}, not hashed before; native: its SHA-256", ratio_at_most(1.1)
        if hash_command() is None:
            yield missing(what, "neither openssl nor sha256sum is installed", target)
            continue
        pairs = [commit_unhashed(rig, sizes, parts) for _ in range(rig.rounds)]
        native, firn = (statistics.median(of) for of in zip(*pairs))
        yield Row(what, "s", firn, native, target=target)


def commit_hashed(rig, sizes):
    """Returns the seconds of the commit and of its pause."""
    rig.new_store()
    rig.loops.write(rig.staging / "model.bin", sizes.checkpoint_bytes)
    rig.wait_until_hashed()
    return rig.commit("a checkpoint")


def commit_unhashed(rig, sizes, parts):
    """Returns the seconds that the machine needs to hash the bytes, and those of the commit.

    The bytes are written and synced before, in files that are open until then, so nothing has hashed them."""
    rig.new_store()
    for number in range(parts):
        rig.loops.write(rig.staging / f"model-{number}.bin", sizes.checkpoint_bytes // parts)
    seconds, _ = rig.commit("a checkpoint")
    return timed(lambda: hash_all(sorted(rig.latest.glob("*.bin")))), seconds


def hash_command():
    if shutil.which("openssl"):
        return ["openssl", "dgst", "-sha256"]
    return ["sha256sum"] if shutil.which("sha256sum") else None


def hash_all(paths):
    running = [subprocess.Popen([*hash_command(), str(path)], stdout=subprocess.DEVNULL) for path in paths]
    if any([process.wait() for process in running]):
        raise RuntimeError("the files could not be hashed")


def files(rig, sizes):
    """Commits of more and more new files, and a small one after each."""
    cheapest = None
    for count in sizes.new_files:
        rounds = [commit_new(rig, count) for _ in range(rig.rounds)]
        seconds, pause, after, floor = (statistics.median(of) for of in zip(*rounds))
        yield Point("change", count, seconds)
        yield Point("tree", count, after)
        # The targets are those of 100,000.
        is_target = count == 100_000
        what = f"commit of {human(count)} new files of 4 KiB, hashed before"
        note = "native: a C program looks at each, links it and syncs"
        yield Row(what, "s", seconds, floor, target=at_most(1.5) if is_target else None, note=note)
        yield Row(f"{what}: pause", "ms", pause * 1e3, target=at_most(250) if is_target else None)
        cost = seconds / count * 1e6
        yield Row("— cost of a file", "µs", cost, target=at_most(round(cheapest * FLAT, 1)) if cheapest else None)
        cheapest = cheapest or cost
    yield from partly_changed(rig, sizes)


def commit_new(rig, count):
    """Returns the seconds of the commit, of its pause, of commits of one change each afterwards, and of what the
    system's part in the first takes alone."""
    rig.new_store()
    floor = link_natively(rig, count)
    rig.loops.make(rig.staging / "new", count, EACH)
    rig.wait_until_hashed()
    seconds, pause = rig.commit("new files")
    after = []
    for number in range(CHANGES):
        (rig.staging / "new" / file_name(number, EACH)).write_bytes(os.urandom(FILE_BYTES))
        after.append(rig.commit("one change")[0])
    return seconds, pause, statistics.median(after), floor


def link_natively(rig, count):
    """What a commit asks of the system at the least: a look at each file, a second name for it, and a sync."""
    files = rig.native / "new"
    rig.loops.make(files, count, EACH)
    sync_filesystem(files)
    seconds = rig.loops.link(files, count, EACH)
    for made in (files, files.with_name("new.objects")):
        shutil.rmtree(made)
    return seconds


def partly_changed(rig, sizes):
    """What a second version of a directory takes on the disk where one file in a hundred changed.

    Each time after an unmount, which moves the catalog's log into its file: how much the log happens to hold says
    nothing of what is stored."""
    rig.new_store()
    write_files(rig.staging / "tree", range(sizes.partly_changed_files))
    rig.commit("all")
    changed = range(0, sizes.partly_changed_files, 100)
    stored = []
    for shift in range(rig.rounds):
        rig.remount()
        before = rig.stored_bytes()
        write_files(rig.staging / "tree", (number + shift for number in changed))
        rig.commit("one of a hundred")
        rig.remount()
        stored.append(rig.stored_bytes() - before)
    count = human(sizes.partly_changed_files)
    yield Row(
        f"second version of {count} files of 64 KiB, 1 % changed: stored; native: the changed bytes", "MB",
        statistics.median(stored) / 1e6, len(changed) * CHANGED_FILE_BYTES / 1e6, target=ratio_at_most(1.01))


def write_files(tree, numbers):
    for number in numbers:
        path = tree / file_name(number, EACH)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(CHANGED_FILE_BYTES))
