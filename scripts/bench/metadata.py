"""Names and small files: listed, looked at, opened, made and removed."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
import sysconfig
import tarfile

import others
from rig import FIRN, NATIVE, command_seconds
from rows import Row, missing, ratio_at_most
from sizes import human

EACH = 100
STAGED, SEALED = "staged", "sealed"
EXAMPLE_FILES = {"files": 5_000, "source_files": 3_000}
SOURCE_FILE_BYTES_MAX = 1 << 20


def metadata(rig, sizes, example):
    yield from beside(rig, sizes, None)
    if example:
        # It holds a descriptor for every file that the kernel knows, and may have so many.
        few = {name: min(count, getattr(sizes, name)) for name, count in EXAMPLE_FILES.items()}
        yield from beside(rig, dataclasses.replace(sizes, **few), example)


def beside(rig, sizes, example):
    with others.mounted(rig, example, floor=True) as peers:
        rig.new_store()
        yield from making(rig, sizes, peers)
        yield from looking(rig, sizes, peers)
        # It cannot do what git and tar ask for.
        peers.pop(others.FLOOR, None)
        yield from source_tree(rig, sizes, peers)
        rig.clear()


def row(what, times, side, target, rival=None):
    known = {name: times[name] for name in (others.BINDFS, others.EXAMPLE, others.FLOOR) if name in times}
    return Row(what, "s", times[side], times[NATIVE], known, target, rival)


def list_all(directory):
    return command_seconds("find", f"{directory}/", "-ls")


def making(rig, sizes, peers):
    places = {name: place / "made" for name, place in sides(rig, peers).items()}
    steps = {
        f"create, write 4 KiB, close {human(sizes.files)} files":
            lambda place: rig.loops.make(place, sizes.files, EACH),
        f"rm -rf {human(sizes.files)} files": lambda place: command_seconds("rm", "-rf", place),
    }
    times = rig.interleaved(places, steps, lambda *_: os.sync())
    for step in steps:
        yield row(step, times[step], FIRN, ratio_at_most(4), others.EXAMPLE)


def sides(rig, peers):
    return {NATIVE: rig.native, FIRN: rig.staging} | peers


def looking(rig, sizes, peers):
    """The same tree sealed, staged, and on every other side."""
    count = human(sizes.files)
    rig.loops.make(rig.staging / SEALED, sizes.files, EACH)
    rig.commit("a tree")
    places = {name: place / "tree" for name, place in sides(rig, peers).items() if name != FIRN}
    places[STAGED] = rig.staging / "tree"
    for place in places.values():
        rig.loops.make(place, sizes.files, EACH)
    places[SEALED] = rig.latest / SEALED
    listing = {
        "find -ls": list_all,
        "ls -lR": lambda place: command_seconds("ls", "-lR", f"{place}/"),
        "stat": lambda place: rig.loops.stat(place, sizes.files, EACH),
    }
    reading = {"open, read, close": lambda place: rig.loops.read(place, sizes.files, EACH)}
    for place in places.values():
        for body in (listing | reading).values():
            body(place)
    # Each for itself: who reads a file makes the kernel ask for its time of access before it shows it again.
    times = rig.interleaved(places, listing) | rig.interleaved(places, reading)
    for step in listing:
        yield row(f"{step}, {count} sealed files, warm", times[step], SEALED, ratio_at_most(1.1))
    yield from looking_cold(rig, {side: place for side, place in places.items() if side != STAGED}, listing, count)
    for side in (SEALED, STAGED):
        yield row(f"open, read, close, {count} {side} files, warm", times["open, read, close"], side, ratio_at_most(6))


def looking_cold(rig, places, listing, count):
    target = ratio_at_most(1.6)
    for step, body in listing.items():
        what = f"{step}, {count} sealed files, cold"
        if not rig.is_root:
            yield missing(what, "dropping caches needs root", target)
            continue

        def forget(side, _):
            if side == SEALED:
                rig.remount()
            rig.drop_caches()

        yield row(what, rig.interleaved(places, {step: body}, forget)[step], SEALED, target)


def source_tree(rig, sizes, peers):
    """A source tree with its git repository, from an archive."""
    if not shutil.which("git"):
        yield missing("untar and git status of a source tree", "git is not installed", ratio_at_most(4))
        return
    archive = rig.work / "source.tar"
    count = human(make_source(rig.native / "source", archive, sizes.source_files))
    places = {name: place / "untarred" for name, place in sides(rig, peers).items()}

    def clear(_, place):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        os.sync()

    def status(place):
        # The first looks into every file, because the archive's times are not those of the index.
        git(place, "status", "--porcelain")
        return command_seconds("git", "-C", place, "status", "--porcelain")

    steps = {
        f"untar a source tree of {count} files": lambda place: command_seconds("tar", "-xf", archive, "-C", place),
        f"git status of {count} files": status,
    }
    times = rig.interleaved(places, steps, clear)
    for step in steps:
        yield row(step, times[step], FIRN, ratio_at_most(4), others.EXAMPLE)
    archive.unlink()


def make_source(directory, archive, count):
    """Copies so many of this machine's headers and Python modules, makes them a git repository, and archives it.

    Returns how many files there were."""
    number = 0
    for path in source_files():
        if number == count:
            break
        target = directory / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        number += 1
    git(directory, "init", "--quiet")
    git(directory, "add", "--force", "--all")
    # Without the gc of its own that a large commit begins.
    settings = ("gc.auto=0", "user.name=bench", "user.email=bench@localhost")
    git(directory, *(word for setting in settings for word in ("-c", setting)), "commit", "--quiet", "-m", "all")
    git(directory, "gc", "--quiet")
    with tarfile.open(archive, "w") as file:
        file.add(directory, ".")
    shutil.rmtree(directory)
    return number


def source_files():
    for place in ("/usr/include", sysconfig.get_path("stdlib")):
        for directory, _, names in sorted(os.walk(place)):
            for name in sorted(names):
                path = pathlib.Path(directory, name)
                if not path.is_symlink() and path.is_file() and path.stat().st_size <= SOURCE_FILE_BYTES_MAX:
                    yield path


def git(directory, *arguments):
    subprocess.run(["git", "-C", str(directory), *arguments], stdout=subprocess.DEVNULL, check=True)
