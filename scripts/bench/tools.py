"""How each peer keeps versions of a directory: its commands, behind the same few verbs.

Of every peer the commands that its own manual gives for the work are run, with what it does by default: restic
encrypts with a password from the environment, borg not at all."""

import os
import shutil
import subprocess

from rig import stored_bytes

COMMAND_SECONDS_MAX = 300


class Unavailable(Exception):
    """The peer has no command for this."""


class Tool:
    """One peer at work in an empty directory of its own.

    `tree` is where the data are put, as a user of the peer does. `prepare` is not timed."""

    name = ""
    programs = ()

    def __init__(self, work, rig, options):
        self.work = work
        self.rig = rig
        self.tree = work / "data"
        self.environment = os.environ | {"HOME": str(work), "XDG_CACHE_HOME": str(work / "cache")}

    @classmethod
    def lacks(cls, options):
        """The first program that is not installed, or None."""
        return next((program for program in cls.programs if not shutil.which(program)), None)

    def call(self, *words, where=None, output=subprocess.DEVNULL):
        subprocess.run(
            list(map(str, words)), cwd=where or self.work, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.PIPE, check=True, timeout=COMMAND_SECONDS_MAX)

    def prepare(self):
        self.tree.mkdir()

    def commit(self, number):
        raise NotImplementedError

    def list(self):
        raise NotImplementedError

    def read(self, path):
        raise NotImplementedError

    def restore(self, target):
        """All of the newest version, into a directory that does not exist."""
        raise NotImplementedError

    def stored(self):
        return stored_bytes(self.work / "store")

    def clear(self):
        pass


class Firn(Tool):
    name = "Firn"

    def prepare(self):
        self.rig.new_store()
        self.tree = self.rig.staging / "data"
        self.tree.mkdir()

    def commit(self, number):
        self.rig.commit(str(number))

    def list(self):
        self.rig.run("ls", "latest", "--recursive", "--store", self.rig.store)

    def read(self, path):
        self.call("cat", self.rig.latest / "data" / path)

    def restore(self, target):
        self.rig.run("export", "latest:data", target, "--store", self.rig.store)

    def stored(self):
        return self.rig.stored_bytes()

    def clear(self):
        self.rig.remove_store()


class Copy(Tool):
    """The base line: a whole copy for each version."""

    name = "cp -a"

    def commit(self, number):
        (self.work / "store").mkdir(exist_ok=True)
        self.newest = self.work / "store" / str(number)
        self.call("cp", "-a", self.tree, self.newest)

    def list(self):
        self.call("find", self.newest)

    def read(self, path):
        self.call("cat", self.newest / path)

    def restore(self, target):
        self.call("cp", "-a", self.newest, target)


class Git(Tool):
    name = "git"
    programs = ("git",)

    def prepare(self):
        self.repository = self.work / "repository"
        self.tree = self.repository / "data"
        self.tree.mkdir(parents=True)
        for key, value in (("user.name", "bench"), ("user.email", "bench@localhost"), ("gc.auto", "0")):
            self.call("git", "config", "--global", key, value)
        self.git("init", "--quiet")

    def git(self, *words):
        self.call("git", *words, where=self.repository)

    def commit(self, number):
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", number)

    def list(self):
        self.git("ls-tree", "-r", "HEAD")

    def read(self, path):
        self.git("cat-file", "--filters", f"HEAD:data/{path}")

    def restore(self, target):
        self.git("worktree", "add", "--quiet", "--detach", target)

    def stored(self):
        return stored_bytes(self.repository / ".git")


class GitLFS(Git):
    name = "git-lfs"
    programs = ("git", "git-lfs")

    def prepare(self):
        super().prepare()
        self.git("lfs", "install", "--local")
        self.git("lfs", "track", "data/**")


class GitAnnex(Git):
    name = "git-annex"
    programs = ("git", "git-annex")

    def prepare(self):
        super().prepare()
        self.git("annex", "init", "--quiet", "bench")

    def commit(self, number):
        self.git("annex", "add", "--quiet", ".")
        self.git("commit", "--quiet", "-m", number)

    def list(self):
        self.git("annex", "list")

    def read(self, path):
        self.call("cat", self.tree / path)

    def restore(self, target):
        self.call("git", "clone", "--quiet", self.repository, target)
        self.call("git", "annex", "get", "--quiet", ".", where=target)

    def clear(self):
        # Its objects cannot be removed as they are.
        self.call("chmod", "-R", "u+w", self.work)


class DVC(Git):
    name = "DVC"
    programs = ("git",)

    def __init__(self, work, rig, options):
        super().__init__(work, rig, options)
        self.program = options.dvc
        self.environment |= {"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": str(work / "site")}

    @classmethod
    def lacks(cls, options):
        return super().lacks(options) or (None if options.dvc and shutil.which(options.dvc) else "dvc")

    def dvc(self, *words):
        self.call(self.program, *words, where=self.repository)

    def prepare(self):
        super().prepare()
        self.dvc("init", "--quiet")

    def commit(self, number):
        self.dvc("add", "--quiet", "data")
        super().commit(number)

    def list(self):
        self.dvc("list", ".", "data", "--recursive")

    def read(self, path):
        self.dvc("get", "--quiet", "--force", ".", f"data/{path}", "--out", self.work / "one")

    def restore(self, target):
        self.dvc("get", "--quiet", ".", "data", "--out", target)

    def stored(self):
        return stored_bytes(self.repository / ".git", self.repository / ".dvc")


class Restic(Tool):
    name = "restic"
    programs = ("restic",)

    def prepare(self):
        super().prepare()
        self.environment |= {
            "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": str(self.work / "store"),
            "RESTIC_CACHE_DIR": str(self.work / "cache")}
        self.call("restic", "init", "--quiet")

    def commit(self, number):
        self.call("restic", "backup", "--quiet", ".", where=self.tree)

    def list(self):
        self.call("restic", "ls", "latest")

    def read(self, path):
        self.call("restic", "dump", "latest", f"/{path}")

    def restore(self, target):
        self.call("restic", "restore", "--quiet", "latest", "--target", target)


class Borg(Tool):
    name = "borg"
    programs = ("borg",)

    def prepare(self):
        super().prepare()
        self.environment |= {
            "BORG_BASE_DIR": str(self.work), "BORG_REPO": str(self.work / "store"),
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}
        self.call("borg", "init", "--encryption", "none")

    def commit(self, number):
        self.newest = f"::{number}"
        self.call("borg", "create", self.newest, ".", where=self.tree)

    def list(self):
        self.call("borg", "list", self.newest)

    def read(self, path):
        self.call("borg", "extract", "--stdout", self.newest, path)

    def restore(self, target):
        target.mkdir()
        self.call("borg", "extract", self.newest, where=target)


class OSTree(Tool):
    name = "ostree"
    programs = ("ostree",)

    def prepare(self):
        super().prepare()
        self.ostree("init", "--mode=bare-user")

    def ostree(self, *words):
        self.call("ostree", f"--repo={self.work / 'store'}", *words)

    def commit(self, number):
        self.ostree("commit", "--branch=main", f"--subject={number}", f"--tree=dir={self.tree}")

    def list(self):
        self.ostree("ls", "--recursive", "main")

    def read(self, path):
        self.ostree("cat", "main", f"/{path}")

    def restore(self, target):
        self.ostree("checkout", "--user-mode", "--force-copy", "main", target)


class Casync(Tool):
    name = "casync"
    programs = ("casync",)

    def commit(self, number):
        store = self.work / "store"
        store.mkdir(exist_ok=True)
        self.newest = store / f"{number}.caidx"
        self.call("casync", "make", f"--store={store / 'chunks.castr'}", self.newest, self.tree)

    def list(self):
        self.call("casync", "list", f"--store={self.work / 'store/chunks.castr'}", self.newest)

    def read(self, path):
        raise Unavailable

    def restore(self, target):
        self.call("casync", "extract", f"--store={self.work / 'store/chunks.castr'}", self.newest, target)


TOOLS = (Firn, Copy, Git, GitLFS, GitAnnex, DVC, Restic, Borg, OSTree, Casync)
