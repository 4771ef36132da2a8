"""How much each group works with, and how that is written."""

import dataclasses

FILE_BYTES = 4096


@dataclasses.dataclass
class Sizes:
    # One large file.
    data_bytes: int
    random_reads: int
    small_writes: int
    # Many small files, in directories of 100.
    files: int
    source_files: int
    # The large tree.
    tree_files: int
    tree_directories: int
    commits: int
    versions: int
    # Commits of new bytes.
    checkpoint_bytes: int
    new_files: tuple
    partly_changed_files: int
    # The same data for every peer.
    peer_files: int
    peer_file_bytes: int


FULL = Sizes(
    data_bytes=1 << 30, random_reads=200_000, small_writes=100_000, files=20_000, source_files=10_000,
    tree_files=200_000, tree_directories=1_000, commits=20, versions=1_000,
    checkpoint_bytes=4 << 30, new_files=(1_000, 10_000, 100_000), partly_changed_files=20_000,
    peer_files=5_000, peer_file_bytes=512 << 20)
HUGE = dataclasses.replace(FULL, tree_files=1_000_000, new_files=(1_000, 10_000, 100_000, 1_000_000))
QUICK = Sizes(
    data_bytes=64 << 20, random_reads=20_000, small_writes=10_000, files=1_000, source_files=500,
    tree_files=2_000, tree_directories=20, commits=5, versions=20,
    checkpoint_bytes=64 << 20, new_files=(100, 1_000), partly_changed_files=1_000,
    peer_files=200, peer_file_bytes=16 << 20)


def human(count):
    return f"{count:,}"


def size_text(count):
    return f"{count >> 30} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"
