"""What files hold: bytes that follow from the seed and a value, so that they need not be kept to be checked."""

import functools
import hashlib
from typing import NamedTuple

PATCH_BYTES = 512
RECORD_BYTES_MAX = 400


class Value(NamedTuple):
    """What one path holds at one time."""

    # "whole" for bytes that follow from all of this, "log" for the first `generation` records of a log.
    kind: str
    # The path under which the bytes were first written; renaming and linking carry it along.
    origin: str
    generation: int
    mode: int
    # Which pieces were overwritten in place since.
    patches: tuple = ()


def value_from_json(item):
    return None if item is None else Value(*item[:4], tuple(item[4]))


def key_of(seed, *words):
    return hashlib.sha256("\0".join(map(str, (seed, *words))).encode()).digest()


def size_of(key):
    """Many small ones, some of megabytes, a few empty."""
    if key[0] < 10:
        return 0
    if key[0] < 20:
        return 1 << 20 | int.from_bytes(key[1:4], "big") & 0x3FFFFF
    if key[0] < 60:
        return int.from_bytes(key[1:4], "big") % 300_000
    return int.from_bytes(key[1:3], "big") % 9000


@functools.lru_cache(maxsize=64)
def plain(seed, origin, generation):
    key = key_of(seed, origin, generation)
    size = size_of(key)
    data = hashlib.shake_128(key).digest(size)
    if size > 1 << 20:
        # The middle is a hole, as far as whoever writes it leaves one.
        hole = size // 2 & ~4095
        data = data[:hole] + bytes(hole // 2) + data[hole + hole // 2:]
    return data


def patch_of(seed, origin, number, size):
    """Where a piece lies, and its bytes; within one page, and within the file."""
    key = key_of(seed, origin, "patch", number)
    place = int.from_bytes(key[:4], "big") % max(1, size // PATCH_BYTES) * PATCH_BYTES
    return place, hashlib.shake_128(key).digest(min(PATCH_BYTES, size - place))


def record(seed, origin, number):
    key = key_of(seed, origin, "record", number)
    text = hashlib.shake_128(key).hexdigest(1 + int.from_bytes(key[:2], "big") % (RECORD_BYTES_MAX // 2))
    return f"{number} {text}\n".encode()


@functools.lru_cache(maxsize=64)
def log_bytes(seed, origin, count):
    # A log grows by one record at a time, so the one before is often there.
    return b"".join(record(seed, origin, number) for number in range(count))


@functools.lru_cache(maxsize=64)
def whole_bytes(seed, value):
    data = bytearray(plain(seed, value.origin, value.generation))
    for number in value.patches:
        place, piece = patch_of(seed, value.origin, number, len(data))
        data[place:place + len(piece)] = piece
    return bytes(data)


def bytes_of(seed, value):
    if value.kind == "log":
        return log_bytes(seed, value.origin, value.generation)
    return whole_bytes(seed, value)


@functools.lru_cache(maxsize=1 << 16)
def digest_of(seed, value):
    return hashlib.sha256(bytes_of(seed, value)).hexdigest()


def is_between(seed, actual, before, after):
    """Whether `actual`, bytes, can be a file that held `before`, or was not there, and was being changed into `after`
    in place."""
    new = bytes_of(seed, after)
    if before is None:
        return new.startswith(actual)
    old = bytes_of(seed, before)
    if after.kind == "log":
        return new.startswith(actual) and len(actual) >= len(old)
    if after.origin == before.origin and after.generation == before.generation:
        return len(actual) == len(old) == len(new) and all(a in (o, n) for a, o, n in zip(actual, old, new) if o != n)
    # Cut to nothing first.
    return new.startswith(actual)
