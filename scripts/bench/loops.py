"""The inner loops of loops.c, compiled where the work is done. Each returns the seconds it took."""

import pathlib
import subprocess

SECONDS_MAX = 3600


class Loops:
    def __init__(self, work):
        self.program = work / "loops"
        source = pathlib.Path(__file__).with_name("loops.c")
        subprocess.run(["cc", "-O2", "-pthread", "-o", str(self.program), str(source)], check=True)

    def _run(self, *words, inside=None):
        done = subprocess.run(
            [str(self.program), *map(str, words)], stdout=subprocess.PIPE, text=True, check=True, timeout=SECONDS_MAX,
            cwd=inside)
        return float(done.stdout)

    # Small files: `count` of them, `each` to a directory

    def make(self, directory, count, each):
        directory.mkdir(parents=True, exist_ok=True)
        return self._run("make", directory, count, each)

    # From within it, as `find` does: how long the way there is on one side is not to count.

    def read(self, directory, count, each):
        return self._run("read", ".", count, each, inside=directory)

    def stat(self, directory, count, each):
        return self._run("stat", ".", count, each, inside=directory)

    def link(self, directory, count, each):
        objects = directory.with_name(directory.name + ".objects")
        objects.mkdir()
        return self._run("link", directory, count, each)

    # One large file

    def write(self, path, size):
        return self._run("write", path, size)

    def scan(self, path):
        return self._run("scan", path)

    def random(self, path, reads, jobs):
        return self._run("random", path, reads, jobs)

    def map(self, path):
        return self._run("map", path)

    def overwrite(self, path, writes):
        return self._run("overwrite", path, writes)


def file_name(number, each):
    """Where `make` puts a file, as in loops.c."""
    return f"part-{number // each:05}/f{number % each:06}"
