"""Runs the groups of cases.py and prints one table; see scripts/bench.sh."""

import argparse
import dataclasses
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time

import cases
from rig import Rig


def main():
    options = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sizes = cases.QUICK if options.quick else cases.FULL
    if not options.quick and shutil.disk_usage(options.dir).free < 12 << 30:
        sys.exit(f"bench: {options.dir} has less than 12 GiB free")
    rig = Rig(options.firn, options.dir, options.rounds)
    rows = []
    try:
        for name in options.only or cases.GROUPS:
            for row in cases.GROUPS[name](rig, sizes):
                # The targets are for the full sizes.
                rows.append(dataclasses.replace(row, at_most=None) if options.quick else row)
                print("bench: " + " ".join(line(rows[-1])), file=sys.stderr, flush=True)
            rig.remove_store()
        machine = describe_machine(rig)
    except BaseException:
        rig.clean_up(has_failed=True)
        raise
    rig.clean_up()
    table = markdown(rows)
    print(table)
    if options.report and not options.quick and not options.only and not options.no_report:
        pathlib.Path(options.report).write_text(report(table, machine, options))
    return 0


def parse():
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("--firn", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    parser.add_argument("--dir", required=True, help="where to work: on the disk that is to be measured")
    parser.add_argument("--quick", action="store_true", help="small sizes; writes no report")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(cases.GROUPS))
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def figure(value):
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def line(row):
    """What, native, Firn, ratio, target, whether it is met."""
    native = f"{figure(row.native)} {row.unit}" if row.native is not None else ""
    ratio = f"{row.compared:.2f}" if row.native is not None else ""
    target, verdict = "", ""
    if row.at_most is not None:
        target = f"≤ {row.at_most:g}" + ("" if row.native is not None else f" {row.unit}")
        verdict = "yes" if row.is_met else "**no**"
    return [row.what, native, f"{figure(row.firn)} {row.unit}", ratio, target, verdict]


def markdown(rows):
    head = ["measurement", "plain directory", "Firn", "ratio", "target", "met"]
    lines = [head, ["---", "--:", "--:", "--:", "--:", "---"]] + [line(row) for row in rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def describe_machine(rig):
    model = "unknown"
    for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if text.startswith("model name"):
            model = text.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    filesystem = subprocess.run(
        ["stat", "--file-system", "--format=%T", str(rig.work)], stdout=subprocess.PIPE, text=True, check=True)
    return {
        "Processor": f"{model}, {os.cpu_count()} cores",
        "Memory": f"{memory:.0f} GiB",
        "Kernel": f"{platform.system()} {platform.release()}",
        "Backing filesystem": filesystem.stdout.strip().replace("ext2/ext3", "ext4"),
        "User": "root" if rig.is_root else "ordinary user",
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def report(table, machine, options):
    shown = ["scripts/bench.sh"]
    if options.rounds != 5:
        shown += ["--rounds", str(options.rounds)]
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return TEMPLATE.format(
        command=" ".join(shown), facts=facts, rounds=options.rounds, table=table)


TEMPLATE = """# Benchmarks

Written by `{command}`, which builds the release binary and measures on one disk, in one run: a mounted store
and, beside it, a plain directory on the same filesystem.

{facts}

Each figure is the median of {rounds} rounds; the two sides take turns, and each goes first every other time.
A ratio is Firn's time over the plain directory's: 1 is native speed, 2 is half of it. Memory is the daemon's
resident set. The targets are those of the release.

{table}

What the rows mean:

- *write and fsync*: a new file in blocks of 1 MiB, from `open` to `close`.
- *warm*: read or listed once before. *cold*: the kernel's caches were dropped (root), or at least the file's
  pages (anyone).
- *daemon just started*: the store was unmounted and mounted again, so that neither the daemon nor the kernel
  knows anything of it. *nothing dropped*: the disk's own blocks are still in memory, and the plain directory is
  listed from the kernel's caches.
- *make files*: `open`, one `write` and `close` each, 100 to a directory, from one process.
- *commit*: the whole run of `firn commit`, from its start to its end, with nothing synced before.
  *changes are held up*: the part of it during which programs that write to `staging/` wait.
- *mount*: until `firn mount` returns.
"""

if __name__ == "__main__":
    sys.exit(main())
