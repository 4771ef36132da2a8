"""What must be true of a disk after its power was cut."""

import json
import os
import re
import signal
import subprocess
import time

from load import digest, listing


class Check:
    def __init__(self, firn, work, place, marks, listings):
        self.firn, self.listings = firn, listings
        self.store = place / "store"
        self.mount_point = work / "mnt"
        self.problems = []
        self.is_made = False
        self.versions, self.doubtful, self.gone, self.files = set(), set(), set(), {}
        for mark in marks:
            self.take(mark)

    def take(self, mark):
        event = mark["event"]
        if event == "made":
            self.is_made = True
        elif event == "committed":
            self.versions.add(mark["version"])
        elif event == "forgetting":
            self.doubtful.add(mark["version"])
        elif event == "forgotten":
            self.versions.discard(mark["version"])
            self.doubtful.discard(mark["version"])
            self.gone.add(mark["version"])
        elif event == "unsure":
            self.files.pop(mark["path"], None)
        elif event == "sure":
            self.files[mark["path"]] = mark["digest"]

    def tool(self, *words):
        return subprocess.run([self.firn, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def must(self, *words):
        done = self.tool(*words)
        if done.returncode != 0:
            self.problems.append(f"firn {words[0]} ended with {done.returncode}: {(done.stderr + done.stdout).strip()}")
        return done.returncode == 0

    def run(self):
        """Returns what is wrong; empty where nothing is."""
        if not self.is_made:
            done = self.tool("init", self.store)
            # It was made, or it can be made.
            if done.returncode != 0 and "a store here already" not in done.stderr:
                return [f"an interrupted init cannot be done again: {done.stderr.strip()}"]
        if not self.must("mount", "--no-supervise", self.store, self.mount_point):
            return self.problems
        daemon = None
        try:
            status = json.loads((self.mount_point / ".firn/status").read_text())
            if "error" in status:
                self.problems.append(f"the store cannot be read: {status['error']}")
            else:
                daemon = status["mount"]["pid"]
            self.look()
        except OSError as error:
            self.problems.append(str(error))
        finally:
            self.unmount(daemon)
        return self.problems

    def unmount(self, daemon):
        # Who only looked at the mount in passing is gone in a moment.
        deadline = time.monotonic() + 10
        while (done := self.tool("unmount", self.mount_point)).returncode != 0:
            if time.monotonic() > deadline:
                self.problems.append(f"firn unmount: {done.stderr.strip()}")
                subprocess.run(["umount", "--lazy", str(self.mount_point)])
                if daemon is not None:
                    os.kill(daemon, signal.SIGKILL)
                return
            time.sleep(0.1)

    def look(self):
        top = self.mount_point / "versions"
        present = {name for name in os.listdir(top) if re.fullmatch(r"v\d+", name)}
        wanted = {self.name(number): number for number in self.versions}
        for name, number in wanted.items():
            if name not in present and number not in self.doubtful:
                self.problems.append(f"{name} was acknowledged and is gone")
        known = {self.name(number): contents for number, contents in self.listings.items()}
        for name in sorted(present):
            if name in {self.name(number) for number in self.gone}:
                self.problems.append(f"{name} was forgotten and is there again")
            if name in known and listing(top / name) != known[name]:
                self.problems.append(f"{name} is not what it was")
        if len(present - set(wanted)) > 1:
            self.problems.append(f"versions nobody committed: {sorted(present - set(wanted))}")
        for path, wanted_digest in sorted(self.files.items()):
            self.look_at(path, wanted_digest)
        (self.mount_point / "staging/after").write_bytes(b"more")
        (self.mount_point / ".firn/commit").write_text("{}")
        if (top / "latest/after").read_bytes() != b"more":
            self.problems.append("the next commit has not what was written")
        self.must("verify", "--store", self.store)

    def look_at(self, path, wanted):
        try:
            found = digest((self.mount_point / "staging" / path).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            found = None
        if found != wanted:
            self.problems.append(f"{path} was synced and is {'gone' if found is None else 'another'}")

    @staticmethod
    def name(number):
        return number if isinstance(number, str) else f"v{number:06}"
