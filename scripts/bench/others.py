"""Other FUSE filesystems that pass a directory through, in the same rounds as Firn."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import time

from rig import WAIT_SECONDS_MAX, is_mounted

BINDFS, EXAMPLE, FLOOR = "bindfs", "C passthrough", "bare C"


@contextlib.contextmanager
def mounted(rig, example, *example_options, floor=False):
    """Places by name: of bindfs if it is installed, of the example if one is given, of floor.c if it is asked for and
    the user is root, as long as the block runs."""
    commands = {}
    if shutil.which("bindfs"):
        commands[BINDFS] = ["bindfs", "-f"]
    if example:
        commands[EXAMPLE] = [str(pathlib.Path(example).resolve()), "--foreground", *example_options]
    if floor and rig.is_root and kernel_version() >= (6, 9):
        commands[FLOOR] = [str(compiled_floor(rig.work))]
    with contextlib.ExitStack() as stack:
        places = {}
        for name, command in commands.items():
            try:
                places[name] = stack.enter_context(one_mounted(rig.work / name.replace(" ", "-"), command))
            except (OSError, RuntimeError) as error:
                print(f"bench: {name} is left out: {error}", file=sys.stderr)
        yield places


@contextlib.contextmanager
def one_mounted(work, command):
    source, mount_point = work.with_name(work.name + ".source"), work.with_name(work.name + ".mnt")
    for made in (source, mount_point):
        made.mkdir()
    process = subprocess.Popen([*command, str(source), str(mount_point)], stdout=subprocess.DEVNULL)
    try:
        wait_for_mount(process, mount_point)
        yield mount_point
    finally:
        if is_mounted(mount_point):
            subprocess.run(["fusermount3", "-u", "-z", str(mount_point)])
        else:
            process.kill()
        process.wait(WAIT_SECONDS_MAX)
        mount_point.rmdir()
        shutil.rmtree(source)


def kernel_version():
    return tuple(int(part) for part in os.uname().release.split(".")[:2])


def compiled_floor(work):
    program = work / "floor"
    source = pathlib.Path(__file__).with_name("floor.c")
    subprocess.run(["cc", "-O2", "-pthread", "-o", str(program), str(source)], check=True)
    return program


def wait_for_mount(process, mount_point):
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not is_mounted(mount_point):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError("it did not mount")
        time.sleep(0.05)
