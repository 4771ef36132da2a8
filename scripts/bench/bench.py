"""Runs the groups and prints the tables; see scripts/bench.sh."""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import time

import report
from commits import checkpoint, files
from data import data
from metadata import metadata
from peers import peers
from plot import plot
from rig import Rig
from rows import PeerRow, Point, Row
from sizes import FULL, HUGE, QUICK
from trees import trees

GROUPS = {
    "data": lambda rig, sizes, options: data(rig, sizes, options.passthrough_example),
    "metadata": lambda rig, sizes, options: metadata(rig, sizes, options.passthrough_example),
    "trees": lambda rig, sizes, options: trees(rig, sizes),
    "checkpoint": lambda rig, sizes, options: checkpoint(rig, sizes),
    "files": lambda rig, sizes, options: files(rig, sizes),
    "peers": peers,
}
FREE_BYTES_MIN = 12 << 30


def main():
    options = parse()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    sizes = QUICK if options.quick else HUGE if options.huge else FULL
    if not options.quick and shutil.disk_usage(options.dir).free < FREE_BYTES_MIN:
        sys.exit(f"bench: {options.dir} has less than {FREE_BYTES_MIN >> 30} GiB free")
    rig = Rig(options.firn, options.dir, options.rounds)
    try:
        machine = report.describe_machine(rig)
        found = [item for name in options.only or GROUPS for item in run(name, rig, sizes, options)]
    finally:
        rig.clean_up()
    return show(found, machine, options)


def parse():
    parser = argparse.ArgumentParser(prog="bench.sh")
    parser.add_argument("--firn", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--report", help=argparse.SUPPRESS)
    parser.add_argument("--dvc", help=argparse.SUPPRESS)
    parser.add_argument("--dir", required=True, help="where to work: on the disk that is to be measured")
    parser.add_argument("--quick", action="store_true", help="small sizes and no targets; writes no report")
    parser.add_argument("--huge", action="store_true", help="trees of 1,000,000 files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=list(GROUPS))
    parser.add_argument("--passthrough-example", metavar="PATH", help="libfuse's passthrough_hp, to be compared with")
    parser.add_argument("--no-report", action="store_true")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.passthrough_example and not os.access(options.passthrough_example, os.X_OK):
        parser.error(f"{options.passthrough_example} cannot be run")
    return options


def run(name, rig, sizes, options):
    """What a group found; where it fails, as much as it had found by then, and a row that says so."""
    items = []
    start = time.monotonic()
    try:
        with contextlib.closing(GROUPS[name](rig, sizes, options)) as group:
            for item in group:
                if options.quick and isinstance(item, Row):
                    # The targets are for the full sizes.
                    item.target = None
                items.append(item)
                print(f"bench: {item_line(item)}", file=sys.stderr, flush=True)
        rig.clear()
        print(f"bench: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr)
    except Exception as error:
        print(f"bench: the group {name} failed: {error}", file=sys.stderr)
        rig.show_log()
        items.append(Row(f"the rest of the group {name}", "", note=f"failed: {error}", has_failed=True))
        rig.clear()
    return items


def item_line(item):
    return " ".join(filter(None, report.cells(item))) if isinstance(item, Row) else str(item)


def show(found, machine, options):
    """Prints the tables, writes the document, and returns the exit status: 1 where a group failed."""
    rows, points, peer_rows = ([item for item in found if isinstance(item, kind)] for kind in (Row, Point, PeerRow))
    print("\n\n".join(filter(None, (rows and report.table(rows), report.peer_tables(peer_rows)))))
    if options.report and not (options.quick or options.only or options.no_report):
        target = pathlib.Path(options.report)
        drawing = target.with_name("benchmarks.svg")
        if points:
            drawing.write_text(plot(points))
        target.write_text(report.document(command(options), machine, options.rounds, rows, peer_rows, drawing.name))
    return 1 if any(row.has_failed for row in rows) else 0


def command(options):
    words = ["scripts/bench.sh"]
    words += ["--huge"] if options.huge else []
    words += ["--rounds", str(options.rounds)] if options.rounds != 5 else []
    words += ["--passthrough-example PATH"] if options.passthrough_example else []
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
