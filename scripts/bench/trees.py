"""A large tree: small commits on it, many versions of it, mounting it, and memory for all of it."""

import os
import statistics
import time

from loops import file_name
from metadata import list_all
from rig import command_seconds, timed
from rows import Point, Row, at_most, missing
from sizes import FILE_BYTES, human

FORGET_SECONDS = 3
BYTES_PER_INODE = 250


def trees(rig, sizes):
    count, directories = human(sizes.tree_files), human(sizes.tree_directories)
    each = sizes.tree_files // sizes.tree_directories
    yield from one_tree(rig, sizes, f"one directory of {count} files", sizes.tree_files)
    rig.clear()
    yield from one_tree(rig, sizes, f"{count} files in {directories} directories", each)
    floor = rig.median(lambda: timed(lambda: write_durably(rig.native / "floor")) * 1e3)
    yield Row("floor: 4 KiB in a new file, fsync of it and of its directory", "ms", native=floor)
    yield from ten_changes(rig, sizes, each)
    yield from many_versions(rig, sizes, each)
    yield from mounting(rig, sizes)
    yield from memory(rig, sizes)
    yield from tool(rig, sizes)


def change(rig, sizes, each, number):
    """4 KiB of one file, another one for each number."""
    path = rig.staging / "tree" / file_name(number * 7919 % sizes.tree_files, each)
    with open(path, "r+b", buffering=0) as file:
        file.write(os.urandom(FILE_BYTES))


def one_tree(rig, sizes, layout, each):
    rig.new_store()
    rig.loops.make(rig.staging / "tree", sizes.tree_files, each)
    first, _ = rig.commit("everything")
    yield Row(f"first commit: {layout}", "s", first)
    durable, own, whole, pauses = [], [], [], []
    for number in range(max(rig.rounds, sizes.commits)):
        change(rig, sizes, each, 2 * number)
        durable.append(rig.commit_by_file(f"change {number}") * 1e3)
        start = rig.seconds("--version")
        change(rig, sizes, each, 2 * number + 1)
        wall, pause = rig.commit(f"another change {number}")
        own.append(max(0, wall - start) * 1e3)
        whole.append(wall * 1e3)
        pauses.append(pause * 1e3)
    what = f"commit of a 4 KiB change: {layout}"
    yield Row(f"{what}: until it is durable, by .firn/commit", "ms", statistics.median(durable), target=at_most(5))
    yield Row(f"{what}: pause", "ms", statistics.median(pauses), target=at_most(2))
    yield Row(f"{what}: by the tool, beside its start and end", "ms", statistics.median(own))
    yield Row(f"{what}: whole run of the tool", "ms", statistics.median(whole))
    if each < sizes.tree_files:
        seconds = statistics.median(whole) / 1e3
        yield Point("tree", sizes.tree_files, seconds)
        yield Point("change", 1, seconds)


def write_durably(path):
    path.unlink(missing_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT)
    os.write(file, os.urandom(FILE_BYTES))
    os.fsync(file)
    os.close(file)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def ten_changes(rig, sizes, each):
    for number in range(10):
        change(rig, sizes, each, 1000 + number)
    rig.commit("ten changes")
    pairs = [rig.own_seconds("diff", "--store", rig.store, "--json") for _ in range(rig.rounds)]
    whole, own = (statistics.median(of) * 1e3 for of in zip(*pairs))
    what = f"diff of two versions of {human(sizes.tree_files)} files with 10 changes"
    yield Row(what, "ms", own, target=at_most(5))
    yield Row(f"{what}: whole run of the tool", "ms", whole)


def many_versions(rig, sizes, each):
    """Commits until there are enough versions."""
    seconds = []
    # The numbers of the changes before are others.
    for number in range(2000, 2000 + sizes.versions - (2 * max(rig.rounds, sizes.commits) + 2)):
        change(rig, sizes, each, number)
        seconds.append(rig.commit(f"version {number}")[0] * 1e3)
    if seconds:
        last = seconds[-max(1, len(seconds) // 10):]
        yield Row(f"commit of a 4 KiB change: with {human(sizes.versions)} versions, whole run of the tool", "ms",
                  statistics.median(last))


def mounting(rig, sizes):
    what = f"mount of {human(sizes.versions)} versions of {human(sizes.tree_files)} files"
    yield Row(what, "ms", rig.median(lambda: rig.remount() * 1e3), target=at_most(100))
    if rig.is_root:
        yield Row(f"{what}, caches dropped", "ms", rig.median(lambda: mount_cold(rig) * 1e3))
    else:
        yield missing(f"{what}, caches dropped", "dropping caches needs root")


def mount_cold(rig):
    rig.unmount()
    rig.drop_caches()
    return rig.mount()


def memory(rig, sizes):
    count = human(sizes.tree_files)
    rig.remount()
    empty = rig.resident_bytes()
    list_all(rig.latest / "tree")
    full = rig.resident_bytes()
    yield Row("daemon memory, just mounted", "MB", empty / 1e6)
    target = at_most(250) if sizes.tree_files >= 1_000_000 else None
    yield Row(f"daemon memory, {count} cached inodes", "MB", full / 1e6, target=target)
    yield Row("— for each inode", "bytes", (full - empty) / sizes.tree_files, target=at_most(BYTES_PER_INODE))
    what = "— after the kernel forgot them"
    if not rig.is_root:
        yield missing(what, "dropping caches needs root")
        return
    rig.drop_caches(2)
    time.sleep(FORGET_SECONDS)
    # "Falls": at least half of what the inodes took.
    yield Row(what, "MB", rig.resident_bytes() / 1e6, target=at_most(round((empty + full) / 2e6, 1)))


def tool(rig, sizes):
    yield Row("firn --version", "ms", rig.median(lambda: rig.seconds("--version") * 1e3), target=at_most(30))
    log = rig.median(lambda: rig.seconds("log", "--store", rig.store) * 1e3)
    yield Row(f"firn log of {human(sizes.versions)} versions", "ms", log, target=at_most(30))
    log = rig.median(lambda: rig.seconds("log", "--store", rig.mount_point) * 1e3)
    yield Row(f"firn log of {human(sizes.versions)} versions, by the mount", "ms", log, target=at_most(30))
    floor = rig.median(lambda: command_seconds("/bin/true") * 1e3)
    yield Row("floor: start of a program that does nothing", "ms", native=floor)
