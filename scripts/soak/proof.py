"""The proof: every version against what its writers say they had written when it was made."""

import bisect
import collections

from content import bytes_of, digest_of, is_between, value_from_json
from others import digest_of_tree, read_tree
from scene import Failure, Record
from writer import TEMPORARY


class History:
    """What one path held when."""

    def __init__(self):
        # In order: (begun, ended, value, is_torn).
        self.changes = []

    def add(self, begun, ended, value, is_torn):
        self.changes.append((begun, ended, value, is_torn))

    def possible(self, begun, ended):
        """What it can have held at some moment between the two, and the steps in place that were on the way then."""
        # One writer makes a path's changes, one after the other.
        first = bisect.bisect_left(self.changes, begun, key=lambda change: change[1])
        before = self.changes[first - 1][2] if first else None
        values, steps = [before], []
        for change in self.changes[first:]:
            if change[0] > ended:
                break
            if change[3]:
                steps.append((values[-1], change[2]))
            values.append(change[2])
        return values, steps


class Proof:
    def __init__(self, scene, writers):
        self.scene = scene
        self.histories = collections.defaultdict(History)
        self.change_count = 0
        for writer in writers:
            for line in Record.read(scene, writer):
                self.change_count += 1
                for path, value in line["after"].items():
                    self.histories[f"{writer}/{path}"].add(
                        line["begun"], line["ended"], value_from_json(value), line["torn"])
        self.attempts = self.read_attempts()
        self.file_count = self.byte_count = self.open_count = 0

    def read_attempts(self):
        """All commits, each with when it was over at the latest."""
        attempts = Record.read(self.scene, "commits")
        over = None
        for attempt in reversed(attempts):
            # Where the tool was killed, the daemon has gone on; it makes one version after the other.
            if attempt["state"] == "unknown":
                attempt["ended"] = over
            elif attempt["state"] == "acknowledged":
                over = attempt["ended"]
        return {attempt["message"]: attempt for attempt in attempts}

    # Which versions there are

    def check_versions(self, versions):
        """Each version there is was asked for, each that was acknowledged and not forgotten is there."""
        begun, done, gone = set(), set(), set()
        for line in Record.read(self.scene, "forgets"):
            numbers = set(line["versions"])
            match line["state"]:
                case "begun": begun |= numbers
                case "done": done |= numbers
        if back := done & versions.keys():
            raise Failure(f"forgotten and there again: {sorted(back)}")
        by_message = {}
        for number, version in versions.items():
            message = version["message"]
            if message in by_message:
                raise Failure(f"one commit made two versions, {by_message[message]} and {number}")
            by_message[message] = number
            attempt = self.attempts.get(message)
            if attempt is None or attempt["state"] == "refused":
                raise Failure(f"nobody made v{number}: {message}, {attempt}")
        missing = set(range(1, max(versions) + 1)) - versions.keys()
        lost = []
        for message, attempt in self.attempts.items():
            if attempt["state"] == "acknowledged" and message not in by_message:
                if attempt["number"] is not None and attempt["number"] not in begun:
                    raise Failure(f"v{attempt['number']} was acknowledged, nobody forgot it, and it is lost: {attempt}")
                lost.append(attempt)
        # Of a commit through the mount the number is not known; as many must have been forgotten.
        if len(lost) > len(missing & begun):
            raise Failure(f"acknowledged and lost: among {lost}; missing: {missing}, to be forgotten: {begun}")
        for line in Record.read(self.scene, "reader0"):
            if "gone" in line and int(line["gone"][1:]) not in begun:
                raise Failure(f"{line['gone']} was gone though nobody forgot it")
        self.check_order(versions)
        return len(done)

    def check_order(self, versions):
        last = None
        for number in sorted(versions):
            attempt = self.attempts[versions[number]["message"]]
            if last is not None and attempt["begun"] < last["begun"]:
                raise Failure(f"v{number} was asked for before the version before it")
            last = attempt

    # What is in them

    def check_contents(self, versions):
        seen = {}
        for line in Record.read(self.scene, "reader0"):
            if "name" in line:
                seen[int(line["name"][1:])] = line["digest"]
        for number in sorted(versions):
            top = self.scene.versions / f"v{number:06}"
            tree = read_tree(top)
            if number in seen and seen[number] != digest_of_tree(tree):
                raise Failure(f"v{number} is not what it was when it was read before")
            self.check_tree(number, versions[number], tree)

    def check_tree(self, number, version, tree):
        attempt = self.attempts[version["message"]]
        torn = {item["path"]: item["torn"] for item in version["open_at_seal"]}
        self.open_count += len(torn)
        paths = {path for path in tree if not path.endswith("/" + TEMPORARY)}
        for path in paths | self.histories.keys():
            if path not in self.histories:
                raise Failure(f"v{number}/{path}: nobody made it")
            values, steps = self.histories[path].possible(attempt["begun"], attempt["ended"])
            found = tree.get(path)
            if found is None:
                if None not in values:
                    self.fail(number, path, "nothing", values, attempt, torn)
                continue
            self.file_count += 1
            self.byte_count += found[2]
            if any(
                value is not None and found[1] == value.mode and found[0] == digest_of(self.scene.seed, value)
                for value in values
            ):
                continue
            if not self.is_on_the_way(number, path, steps, torn):
                self.fail(number, path, f"{found[2]} bytes, mode {found[1]:o}, {found[0][:12]}", values, attempt, torn)

    def is_on_the_way(self, number, path, steps, torn):
        if not steps:
            return False
        # What the version itself calls torn can be anything of its writer's.
        if torn.get(path):
            return True
        data = (self.scene.versions / f"v{number:06}" / path).read_bytes()
        return any(after is not None and is_between(self.scene.seed, data, before, after) for before, after in steps)

    def fail(self, number, path, found, values, attempt, torn):
        seed = self.scene.seed
        described = [
            "nothing" if value is None else
            f"{len(bytes_of(seed, value))} bytes, mode {value.mode:o}, {digest_of(seed, value)[:12]}"
            for value in values]
        raise Failure(
            f"v{number}/{path} holds {found}; it must be one of {described}. Open at the seal: {path in torn}. "
            f"Commit: {attempt}. Its last changes: {self.histories[path].changes[-6:]}")
