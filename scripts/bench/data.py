"""Bytes of one large file: written, read in several ways, and held in memory."""

import os
import pathlib
import statistics

import others
from rig import FIRN, NATIVE
from rows import Row, missing, ratio_at_least, ratio_at_most
from sizes import size_text

STAGED, SEALED = "staged", "sealed"


def data(rig, sizes, example):
    rig.new_store()
    is_passed = rig.status("passthrough")
    with others.mounted(rig, example) as peers:
        way, limit = ("", 0.95) if is_passed else (", no passthrough here", 0.7)
        yield from one_way(rig, sizes, peers, way, limit)
        yield from bytes_once(rig, sizes)
        rig.clear()
    if rig.has_passthrough_option:
        rig.new_store("--passthrough", "off")
        with others.mounted(rig, example, "--nopassthrough") as peers:
            yield from one_way(rig, sizes, peers, ", --passthrough off", 0.7)
            rig.clear()
    else:
        yield missing("the same without passthrough", "this firn has no --passthrough", ratio_at_least(0.7))


def one_way(rig, sizes, peers, way, limit):
    """All rows in the way in which the store is mounted."""
    others_files = {name: place / "big.bin" for name, place in peers.items()}
    yield from writing(rig, sizes, others_files, way, limit)
    rig.commit("one large file")
    rig.loops.write(rig.staging / "staged.bin", sizes.data_bytes)
    yield from reading(rig, sizes, others_files, way, limit)
    yield from small_writing(rig, sizes, others_files, way, None if limit < 0.9 else 0.9)


def writing(rig, sizes, others_files, way, limit):
    def unlink(_, path):
        path.unlink(missing_ok=True)
        os.sync()

    files = {NATIVE: rig.native / "big.bin", FIRN: rig.staging / "big.bin"} | others_files
    times = rig.interleaved(files, {"write": lambda path: rig.loops.write(path, sizes.data_bytes)}, unlink)["write"]
    what = f"staged: write {size_text(sizes.data_bytes)} and fsync{way}"
    yield rate_row(what, "GB/s", sizes.data_bytes / 1e9, times, FIRN, limit)


def reading(rig, sizes, others_files, way, limit):
    files = {NATIVE: rig.native / "big.bin", STAGED: rig.staging / "staged.bin", SEALED: rig.latest / "big.bin"}
    files |= others_files
    reads = sizes.random_reads
    text, gigabytes = size_text(sizes.data_bytes), sizes.data_bytes / 1e9
    steps = {
        f"read {text}, warm": (rig.loops.scan, "GB/s", gigabytes),
        "random 4 KiB reads, 1 job": (lambda path: rig.loops.random(path, reads, 1), "k/s", reads / 1e3),
        "random 4 KiB reads, 2 jobs": (lambda path: rig.loops.random(path, reads, 2), "k/s", 2 * reads / 1e3),
        f"map {text} and touch its pages, warm": (rig.loops.map, "GB/s", gigabytes),
    }
    for path in files.values():
        rig.loops.scan(path)
    times = rig.interleaved(files, {step: body for step, (body, _, _) in steps.items()})
    cold = f"read {text}, cold"
    times |= rig.interleaved(files, {cold: rig.loops.scan}, lambda _, path: forget_pages(rig, path))
    steps[cold] = (None, "GB/s", gigabytes)
    for side in (STAGED, SEALED):
        for step, (_, unit, amount) in steps.items():
            yield rate_row(f"{side}: {step}{way}", unit, amount, times[step], side, limit)


def small_writing(rig, sizes, others_files, way, limit):
    files = {NATIVE: rig.native / "big.bin", FIRN: rig.staging / "staged.bin"} | others_files
    times = rig.interleaved(files, {"write": lambda path: rig.loops.overwrite(path, sizes.small_writes)})["write"]
    yield rate_row(
        f"staged: 4 KiB write(2) calls into an open file{way}", "k/s", sizes.small_writes / 1e3, times, FIRN, limit)


def rate_row(what, unit, amount, times, side, limit):
    target = ratio_at_least(limit) if limit else None
    known = {name: amount / times[name] for name in (others.BINDFS, others.EXAMPLE) if name in times}
    return Row(what, unit, amount / times[side], amount / times[NATIVE], known, target)


def bytes_once(rig, sizes):
    """How much the page cache grows by reading the same bytes in two versions and in staging."""
    text = size_text(sizes.data_bytes)
    what, target = f"page cache after reading the same {text} in two versions and in staging", ratio_at_most(1.05)
    if not rig.is_root:
        yield missing(what, "dropping caches needs root", target)
        return
    (rig.staging / "other").write_text("makes a second version")
    rig.commit("the same large file")
    versions = sorted(path for path in (rig.mount_point / "versions").iterdir() if path.name.startswith("v0"))[-2:]
    copies = [*(version / "big.bin" for version in versions), rig.staging / "big.bin"]
    pairs = [(growth(rig, [rig.native / "big.bin"]), growth(rig, copies)) for _ in range(rig.rounds)]
    native, firn = (statistics.median(of) for of in zip(*pairs))
    yield Row(what, "MB", firn / 1e6, native / 1e6, target=target, note="native: one file read once")


def growth(rig, paths):
    rig.drop_caches()
    before = cached_bytes()
    for path in paths:
        rig.loops.scan(path)
    return cached_bytes() - before


def cached_bytes():
    for line in pathlib.Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("Cached:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/meminfo has no Cached")


def forget_pages(rig, path):
    rig.drop_caches()
    file = os.open(path, os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
