"""What is measured. Each group makes a store of its own and yields rows."""

import dataclasses
import os
import statistics

from rig import list_all, make_files

BLOCK = 1 << 20


@dataclasses.dataclass
class Row:
    """One measurement: of both sides with a ratio, or of Firn alone."""

    what: str
    unit: str
    firn: float
    native: float | None = None
    # A ratio where there is a native figure, else a figure in `unit`.
    at_most: float | None = None

    @property
    def compared(self):
        return self.firn if self.native is None else self.firn / self.native

    @property
    def is_met(self):
        return self.at_most is None or self.compared <= self.at_most


@dataclasses.dataclass
class Sizes:
    data_bytes: int
    directories: int
    files_each: int
    large_directories: int
    versions: int


FULL = Sizes(data_bytes=1 << 30, directories=200, files_each=100, large_directories=2000, versions=10)
QUICK = Sizes(data_bytes=64 << 20, directories=20, files_each=50, large_directories=40, versions=3)
FILE_BYTES = 4096


def human(count):
    return f"{count:,}"


def size_text(count):
    return f"{count >> 30} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def write_file(path, block, count):
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    for _ in range(count):
        os.write(file, block)
    os.fsync(file)
    os.close(file)


def read_file(path):
    buffer = bytearray(BLOCK)
    file = os.open(path, os.O_RDONLY)
    while os.readv(file, [buffer]) > 0:
        pass
    os.close(file)


def forget_pages(rig, *paths):
    rig.drop_caches()
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(file)


def data(rig, sizes):
    """Bytes of one large file. The target of 0.5 of native speed is a ratio of times of 2."""
    rig.new_store()
    block = os.urandom(BLOCK)
    count = sizes.data_bytes // BLOCK
    text = size_text(sizes.data_bytes)
    native, staged = rig.native / "big.bin", rig.staging / "big.bin"

    def unlink(is_firn):
        path = staged if is_firn else native
        if os.path.exists(path):
            os.unlink(path)
        os.sync()

    pair = rig.interleaved(
        lambda: write_file(native, block, count), lambda: write_file(staged, block, count), unlink)
    yield Row(f"write {text} and fsync", "s", pair[1], pair[0], 2)

    pair = read_rounds(rig, native, staged, is_cold=False)
    yield Row(f"read {text}, staged, warm", "s", pair[1], pair[0], 2)

    rig.commit("one large file")
    sealed = rig.latest / "big.bin"
    pair = read_rounds(rig, native, sealed, is_cold=False)
    yield Row(f"read {text}, sealed, warm", "s", pair[1], pair[0], 2)
    pair = read_rounds(rig, native, sealed, is_cold=True)
    yield Row(f"read {text}, sealed, cold", "s", pair[1], pair[0], 2)


def read_rounds(rig, native, firn, is_cold):
    def before(is_firn):
        if is_cold:
            forget_pages(rig, firn if is_firn else native)

    if not is_cold:
        read_file(native)
        read_file(firn)
    return rig.interleaved(lambda: read_file(native), lambda: read_file(firn), before)


def listing(rig, sizes):
    """`find -ls` over a sealed tree and over the same tree as plain files."""
    rig.new_store()
    count = human(sizes.directories * sizes.files_each)
    native = rig.native / "tree"
    make_files(native, sizes.directories, sizes.files_each, FILE_BYTES)
    make_files(rig.staging / "tree", sizes.directories, sizes.files_each, FILE_BYTES)
    rig.commit("a tree")
    sealed = rig.latest / "tree"

    def pair(before):
        return rig.interleaved(lambda: list_all(native), lambda: list_all(sealed), before)

    def restart(is_firn):
        if is_firn:
            rig.remount()

    def restart_cold(is_firn):
        restart(is_firn)
        rig.drop_caches()

    list_all(native)
    list_all(sealed)
    times = pair(lambda is_firn: None)
    yield Row(f"find -ls, {count} sealed files, warm", "s", times[1], times[0], 1.5)
    if rig.is_root:
        times = pair(restart_cold)
        yield Row(
            f"find -ls, {count} sealed files, daemon just started, caches dropped on both sides", "s",
            times[1], times[0], 3)
    list_all(native)
    times = pair(restart)
    yield Row(
        f"find -ls, {count} sealed files, daemon just started, nothing dropped", "s", times[1], times[0])


def small(rig, sizes):
    """Many small files, made and read one after the other."""
    rig.new_store()
    count = human(sizes.directories * sizes.files_each)
    native, staged = rig.native / "small", rig.staging / "small"
    number = 0

    def make(place):
        make_files(place / str(number), sizes.directories, sizes.files_each, FILE_BYTES)

    def next_round(is_firn):
        nonlocal number
        number += 1
        os.sync()

    pair = rig.interleaved(lambda: make(native), lambda: make(staged), next_round)
    yield Row(f"make {count} files of 4 KiB", "s", pair[1], pair[0])

    rig.commit("small files")
    native, sealed = newest(native), newest(rig.latest / "small")
    read_all(native)
    read_all(sealed)
    pair = rig.interleaved(lambda: read_all(native), lambda: read_all(sealed))
    yield Row(f"open, read and close {count} sealed files of 4 KiB, warm", "s", pair[1], pair[0])


def newest(directory):
    return max(directory.iterdir(), key=lambda child: int(child.name))


def read_all(directory):
    for place, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(place, name), "rb", buffering=0) as file:
                file.read(FILE_BYTES)


def committing(rig, sizes):
    """Commits of many new small files, nothing synced before."""
    rig.new_store()
    seconds, pauses = [], []
    for number in range(rig.rounds):
        make_files(rig.staging / f"new-{number}", sizes.directories, sizes.files_each, FILE_BYTES)
        wall, pause = rig.commit(f"round {number}")
        seconds.append(wall)
        pauses.append(pause)
    count = human(sizes.directories * sizes.files_each)
    yield Row(f"commit {count} new files of 4 KiB", "s", statistics.median(seconds), at_most=5)
    yield Row("— of which changes are held up", "s", statistics.median(pauses))


def large(rig, sizes):
    """A large tree: small commits on it, mounting it, and memory for all of it."""
    rig.new_store()
    total = sizes.large_directories * sizes.files_each
    count = human(total)
    tree = rig.staging / "tree"
    make_files(tree, sizes.large_directories, sizes.files_each, FILE_BYTES)
    first, _ = rig.commit("everything")
    yield Row(f"commit {count} new files of 4 KiB", "s", first)

    seconds, pauses = [], []
    for number in range(max(rig.rounds, sizes.versions - 1)):
        changed = tree / f"part-{number * 7 % sizes.large_directories:04}" / "sample-00011.bin"
        changed.write_bytes(os.urandom(FILE_BYTES))
        wall, pause = rig.commit(f"change {number}")
        seconds.append(wall * 1000)
        pauses.append(pause * 1000)
    yield Row(f"commit after one change among {count} files", "ms", statistics.median(seconds), at_most=50)
    yield Row("— of which changes are held up", "ms", statistics.median(pauses))

    versions = 1 + len(seconds)
    warm = statistics.median(rig.remount() * 1000 for _ in range(rig.rounds))
    yield Row(f"mount a store of {count} files in {versions} versions", "ms", warm, at_most=200)
    if rig.is_root:
        yield Row(
            "— with the kernel's caches dropped", "ms",
            statistics.median(mount_cold(rig) * 1000 for _ in range(rig.rounds)))

    rig.remount()
    yield Row("daemon's memory, just mounted", "MB", rig.resident_bytes() / 1e6)
    list_all(rig.latest / "tree")
    yield Row(f"daemon's memory, {count} inodes looked up", "MB", rig.resident_bytes() / 1e6, at_most=300)


def mount_cold(rig):
    rig.unmount()
    rig.drop_caches()
    return rig.mount()


GROUPS = {"data": data, "list": listing, "small": small, "commit": committing, "large": large}
