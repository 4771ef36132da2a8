"""Runs a soak and its proof. See scripts/soak.sh."""

import argparse
import pathlib
import shutil
import signal
import sys
import tempfile
import time

import others
from proof import Proof
from scene import Failure, Scene, process
from writer import Writer

WRITER_COUNT = 3
LOG_LINES_SHOWN = 40
END_SECONDS_MAX = 120


def say(text):
    print(f"soak: {text}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="scripts/soak.sh")
    parser.add_argument("seconds", nargs="?", type=float, default=600)
    parser.add_argument("seed", nargs="?", type=int, default=int(time.time()))
    parser.add_argument("--firn", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--dir", default=".")
    parser.add_argument("--way", choices=("mount", "supervise"))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()

    # Whoever ends it so wants nothing left behind either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    firn = str(pathlib.Path(options.firn).resolve())
    ways = [options.way] if options.way else ["mount", "supervise"]
    if not others.Daemon.can_be_supervised(Scene(firn, ".", 0)):
        ways = ["mount"]
    for way in ways:
        run(firn, way == "supervise", options.seconds / len(ways), options)


def run(firn, is_supervised, seconds, options):
    work = pathlib.Path(tempfile.mkdtemp(prefix="firn-soak.", dir=options.dir)).resolve()
    scene = Scene(firn, work, options.seed)
    daemon = others.Daemon(scene, is_supervised)
    has_failed = True
    try:
        soak(scene, daemon, seconds)
        has_failed = False
    except Failure as failure:
        say(f"FAILED: {failure}")
        way = f" --way {options.way}" if options.way else ""
        say(f"again with: scripts/soak.sh {options.seconds:g} {options.seed}{way}")
        show_log(scene)
    finally:
        # Whoever still runs must not meet a mount that goes away.
        scene.stopping.set()
        daemon.clean_up()
        if has_failed and options.keep:
            say(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    if has_failed:
        sys.exit(1)


def soak(scene, daemon, seconds):
    scene.mount_point.mkdir()
    scene.records.mkdir()
    scene.must("init", scene.store)
    daemon.mount()
    how = "kills under a supervisor" if daemon.is_supervised else "kills and new mounts"
    say(f"seed {scene.seed}, {seconds:g} s of {how}, in {scene.work}")

    writers = [f"w{number}" for number in range(WRITER_COUNT)]
    bodies = {name: Writer(scene, name).run for name in writers}
    bodies |= {
        "reader": others.Reader(scene, 0).run, "committer": others.Committer(scene).run,
        "maintainer": others.Maintainer(scene).run,
    }
    running = [process(scene, name, body) for name, body in bodies.items()]
    try:
        daemon.run(seconds)
        scene.stopping.set()
        for each in running:
            each.join(END_SECONDS_MAX)
    finally:
        late = [each for each in running if each.is_alive()]
        if late:
            # Nobody who waits for the mount can be killed.
            daemon.detach()
        for each in late:
            each.kill()
            each.join(10)
    if late:
        raise Failure(f"did not end: {', '.join(each.name for each in late)}")
    if failed := [each.name for each in running if each.exitcode != 0]:
        raise Failure(f"see above what {', '.join(failed)} met")

    prove(scene, daemon, writers)


def prove(scene, daemon, writers):
    # Nothing is written any more, so this one is exactly what the writers have.
    last = others.Committer(scene)
    last.count = 1_000_000
    last.commit(must=True)
    daemon.unmount()
    scene.must("verify", "--store", scene.store)
    scene.must("gc", "--store", scene.store)
    scene.must("verify", "--store", scene.store)
    daemon.mount()
    versions = scene.log()
    proof = Proof(scene, writers)
    forgotten = proof.check_versions(versions)
    proof.check_contents(versions)
    daemon.unmount()
    states = [attempt["state"] for attempt in proof.attempts.values()]
    say(
        f"proved: {len(versions)} versions with {proof.file_count} files, {proof.byte_count >> 20} MiB, "
        f"{proof.open_count} of them open at the seal, hold what they must; {proof.change_count} changes, "
        f"{states.count('acknowledged')} commits acknowledged, {states.count('unknown')} interrupted, "
        f"{forgotten} versions forgotten, {scene.all_kills.value} kills")


def show_log(scene):
    log = scene.store / "firn.log"
    if log.exists():
        say("the end of the daemon's log:")
        print("\n".join(log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]), file=sys.stderr)


if __name__ == "__main__":
    main()
