"""A disk that remembers what was written to it, and disks as they were when its power was cut."""

import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import struct
import subprocess
import time

DISK_BYTES = 512 << 20
HEAD = struct.Struct("<cQI")
MAKE = {"ext4": ["mkfs.ext4", "-q", "-F", "-E", "nodiscard"], "xfs": ["mkfs.xfs", "-q", "-f", "-K"],
        "btrfs": ["mkfs.btrfs", "-q", "-f", "-K"]}
SECTOR_BYTES = 512
WAIT_SECONDS_MAX = 30

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


def run(*command):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout


def attach(file):
    return run("losetup", "--find", "--show", file).strip()


def mount(device, place, filesystem):
    if filesystem == "btrfs":
        # It remembers the devices it has seen by the filesystem's id, and all images have the same.
        subprocess.run(["btrfs", "device", "scan", "--forget"], check=False,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # Without --rw it would be mounted read-only where the device cannot be written to.
    run("mount", "--rw", "-t", filesystem, device, place)


def last_words():
    """What the kernel said last: of a filesystem that it found damaged, for instance, and does not write to any more."""
    words = subprocess.run(["dmesg"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return " / ".join(words.splitlines()[-8:])


def unmount(place):
    """Tries for a while, since what used it may be ending still; then detaches it."""
    deadline = time.monotonic() + 5
    while os.path.ismount(place):
        if subprocess.run(["umount", str(place)], stderr=subprocess.DEVNULL).returncode == 0:
            return
        if time.monotonic() > deadline:
            subprocess.run(["umount", "--lazy", str(place)], stderr=subprocess.DEVNULL)
            return
        time.sleep(0.05)


class RecordedDisk(contextlib.ExitStack):
    """A filesystem on a disk that remembers, mounted at `place`."""

    def __init__(self, work, recorder, filesystem):
        super().__init__()
        self.work, self.recorder, self.filesystem = work, recorder, filesystem
        self.log = work / "log"
        self.place = work / "disk"
        self.log_bytes_at_end = 0
        self._mark = None

    def __enter__(self):
        super().__enter__()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self):
        front, image = self.work / "front", self.work / "image"
        for place in (front, self.place):
            place.mkdir(exist_ok=True)
        process = subprocess.Popen([self.recorder, image, str(DISK_BYTES), self.log, front], start_new_session=True)
        self.callback(image.unlink, missing_ok=True)
        self.callback(self._end, process, front)
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not os.path.ismount(front):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the recorder did not start")
            time.sleep(0.01)
        device = attach(front / "disk")
        self.callback(subprocess.run, ["losetup", "--detach", device])
        run(*MAKE[self.filesystem], device)
        mount(device, self.place, self.filesystem)
        self.callback(unmount, self.place)
        self._mark = os.open(front / "mark", os.O_WRONLY)
        self.callback(os.close, self._mark)

    @staticmethod
    def _end(process, front):
        unmount(front)
        process.terminate()
        process.wait()

    def mark(self, **what):
        """Notes what is true from here on. When this returns, the disk has remembered it."""
        os.write(self._mark, json.dumps(what).encode())

    def cut(self):
        """From here on nothing counts."""
        self.log_bytes_at_end = self.log.stat().st_size


@dataclasses.dataclass
class Capture:
    image: pathlib.Path
    kind: str
    cut: int
    flush: int
    marks: list
    chosen: list

    def __str__(self):
        return f"cut after {self.cut} records, {self.cut - self.flush} since the last flush, {self.kind}"


class Replay:
    """Disks as they were at moments of a record."""

    def __init__(self, work, log, byte_count):
        self.log = os.open(log, os.O_RDONLY)
        self.sure, self.image = work / "sure", work / "cut"
        self.records = []
        offset = 0
        while offset + HEAD.size <= byte_count:
            kind, at, length = HEAD.unpack(os.pread(self.log, HEAD.size, offset))
            offset += HEAD.size
            self.records.append((kind, at, length, offset))
            if kind in b"WM":
                offset += length
        self.write_count = sum(record[0] == b"W" for record in self.records)
        self.flush_count = sum(record[0] == b"F" for record in self.records)

    def _mark(self, record):
        return json.loads(os.pread(self.log, record[2], record[3]))

    def _bytes(self, record):
        return os.pread(self.log, record[2], record[3])

    def _apply(self, file, record):
        kind, at, length, _ = record
        if kind == b"W":
            os.pwrite(file, self._bytes(record), at)
        elif kind == b"Z" and libc.fallocate(file, 3, at, length) != 0:
            raise OSError(ctypes.get_errno(), "fallocate")

    def captures(self, count, generator):
        """Yields a disk for each of `count` moments, in order; each is gone when the next is made."""
        begin = next(i for i, record in enumerate(self.records)
                     if record[0] == b"M" and self._mark(record).get("event") == "begin")
        cuts = sorted(self._moments(begin, count, generator))
        sure = os.open(self.sure, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.ftruncate(sure, DISK_BYTES)
            marks, done = [], 0
            for cut in cuts:
                flush = max(i for i in range(cut) if self.records[i][0] == b"F") + 1
                for record in self.records[done:flush]:
                    self._apply(sure, record)
                done = max(done, flush)
                marks = [self._mark(record) for record in self.records[:cut] if record[0] == b"M"]
                kind, chosen = self._choose(self.records[flush:cut], generator)
                capture = Capture(self.image, kind, cut, flush, marks, chosen)
                self.write(capture, self.image)
                yield capture
        finally:
            os.close(sure)
            self.sure.unlink(missing_ok=True)
            self.image.unlink(missing_ok=True)

    def _moments(self, begin, count, generator):
        """Rather moments at which much was not flushed yet: a flush follows most writes soon."""
        pending, waiting = {}, 0
        for index in range(begin, len(self.records)):
            kind = self.records[index][0]
            waiting = 0 if kind == b"F" else waiting + (kind in b"WZ")
            pending[index + 1] = waiting
        for number in range(count):
            candidates = [generator.randrange(begin + 1, len(self.records) + 1) for _ in range(1 + number % 3 * 2)]
            yield max(candidates, key=pending.get)

    @staticmethod
    def _choose(records, generator):
        """Which of the writes since the last flush arrived: `(record, sectors)`, sectors None for all of them."""
        writes = [record for record in records if record[0] in (b"W", b"Z")]
        kind = generator.choice(["nothing", "everything", "some", "some", "torn", "torn"])
        if not writes:
            return "flushed", []
        if kind == "nothing":
            return kind, []
        if kind == "everything":
            return kind, [(record, None) for record in writes]
        share = generator.random()
        chosen = [(record, None) for record in writes if generator.random() < share]
        if kind == "torn":
            chosen = [
                (record, [generator.random() < 0.5 for _ in range(record[2] // SECTOR_BYTES)])
                if record[0] == b"W" and generator.random() < 0.5 else (record, None) for record, _ in chosen]
        return kind, chosen

    def write(self, capture, image):
        run("cp", "--sparse=always", self.sure, image)
        file = os.open(image, os.O_RDWR)
        try:
            for record, sectors in capture.chosen:
                if sectors is None:
                    self._apply(file, record)
                    continue
                data = self._bytes(record)
                for index, arrives in enumerate(sectors):
                    if arrives:
                        start = index * SECTOR_BYTES
                        os.pwrite(file, data[start:start + SECTOR_BYTES], record[1] + start)
        finally:
            os.close(file)


@contextlib.contextmanager
def mounted_image(work, image, filesystem):
    place = work / "after"
    place.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        device = attach(image)
        stack.callback(subprocess.run, ["losetup", "--detach", device])
        mount(device, place, filesystem)
        stack.callback(unmount, place)
        yield place
