"""The same data, committed, listed, read back and restored with every peer."""

import os
import shutil
import statistics
import subprocess
import time

from loops import file_name
from rig import sync_filesystem, timed
from rows import PeerRow
from sizes import FILE_BYTES, human, size_text
from tools import TOOLS, Unavailable

# A peer that is slow makes fewer rounds than the others.
PEER_SECONDS_MAX = 40
EACH = 100
PART_BYTES = 1 << 20

COMMIT, AGAIN, LIST, READ, RESTORE = "first commit", "second commit", "list", "read one file", "restore all"
FIRST_BYTES, MORE_BYTES = "stored", "second version adds"
SECONDS, BYTES = (COMMIT, AGAIN, LIST, READ, RESTORE), (FIRST_BYTES, MORE_BYTES)


class DataSet:
    """The files of a first version and those that are different in the second, to be copied from."""

    def __init__(self, work, name, one):
        self.name = name
        # The file that is read back.
        self.one = one
        self.first, self.second = work / "first", work / "second"
        self.first.mkdir(parents=True)

    def put(self, tree):
        shutil.copytree(self.first, tree, dirs_exist_ok=True)

    def change(self, tree):
        for path in self.second.rglob("*"):
            if path.is_file():
                target = tree / path.relative_to(self.second)
                # As programs save a file: git-annex, for one, keeps what it has read-only.
                target.unlink()
                shutil.copyfile(path, target)


def small_files(sizes, work):
    text = f"{human(sizes.peer_files)} files of 4 KiB, then 1 % of them changed"
    data = DataSet(work, text, file_name(1, EACH))
    for directory, step in ((data.first, 1), (data.second, 100)):
        for number in range(0, sizes.peer_files, step):
            path = directory / file_name(number, EACH)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(FILE_BYTES))
    return data


def large_file(sizes, work):
    text = f"one file of {size_text(sizes.peer_file_bytes)}, then 1 % of it changed in its middle"
    data = DataSet(work, text, "model.bin")
    with open(data.first / data.one, "wb") as file:
        for _ in range(sizes.peer_file_bytes // PART_BYTES):
            file.write(os.urandom(PART_BYTES))
    data.second.mkdir()
    shutil.copyfile(data.first / data.one, data.second / data.one)
    with open(data.second / data.one, "r+b") as file:
        file.seek(sizes.peer_file_bytes // 2)
        file.write(os.urandom(sizes.peer_file_bytes // 100))
    return data


def peers(rig, sizes, options):
    for make in (small_files, large_file):
        work = rig.work / "peers-data"
        data = make(sizes, work)
        yield from compare(rig, data, options)
        shutil.rmtree(work)


def compare(rig, data, options):
    """Every peer in turn in each round, until it has failed or used up its time."""
    found = {tool: [] for tool in TOOLS}
    notes = {tool: f"{lacking} is not installed" for tool in TOOLS if (lacking := tool.lacks(options))}
    spent = dict.fromkeys(TOOLS, 0)
    for number in range(rig.rounds):
        shift = number % len(TOOLS)
        for tool in TOOLS[shift:] + TOOLS[:shift]:
            if tool in notes or spent[tool] > PEER_SECONDS_MAX:
                continue
            start = time.monotonic()
            try:
                found[tool].append(one_round(rig, tool, data, options))
            except (OSError, subprocess.SubprocessError) as error:
                notes[tool] = f"failed: {explained(error)}"
            spent[tool] += time.monotonic() - start
    for tool in TOOLS:
        yield PeerRow(data.name, tool.name, medians(found[tool]), len(found[tool]), notes.get(tool, ""))


def medians(rounds):
    """By column; None where the peer has no such command."""
    if not rounds:
        return {}
    return {
        column: None if rounds[0][column] is None else statistics.median(figures[column] for figures in rounds)
        for column in SECONDS + BYTES}


def explained(error):
    """The last thing that a command said."""
    said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip().splitlines()
    return said[-1] if said else str(error)


def one_round(rig, kind, data, options):
    work = rig.work / "peer"
    work.mkdir()
    tool = kind(work, rig, options)
    try:
        tool.prepare()
        data.put(tool.tree)
        figures = {COMMIT: durable(rig, lambda: tool.commit(1))}
        figures[FIRST_BYTES] = tool.stored()
        data.change(tool.tree)
        figures[AGAIN] = durable(rig, lambda: tool.commit(2))
        figures[MORE_BYTES] = tool.stored() - figures[FIRST_BYTES]
        figures[LIST] = timed_if_possible(tool.list)
        figures[READ] = timed_if_possible(lambda: tool.read(data.one))
        figures[RESTORE] = durable(rig, lambda: tool.restore(work / "restored"))
        return figures
    finally:
        tool.clear()
        shutil.rmtree(work)


def durable(rig, body):
    """Until all is on the disk: some peers see to that themselves, others leave it to the kernel."""
    os.sync()
    return timed(lambda: (body(), sync_filesystem(rig.work)))


def timed_if_possible(body):
    try:
        return timed(body)
    except Unavailable:
        return None
