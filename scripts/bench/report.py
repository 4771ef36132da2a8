"""The tables, the machine they were measured on, and docs/BENCHMARKS.md around them."""

import os
import pathlib
import platform
import subprocess
import time

import peers
from others import BINDFS, EXAMPLE, FLOOR

NOTHING = "—"


def figure(value):
    if value == 0:
        return "0"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def cells(row):
    """What, native, Firn, ratios, target, whether it is met."""
    def shown(value):
        return NOTHING if value is None else f"{figure(value)} {row.unit}"

    def ratio(value):
        return "" if value is None or not row.native else f"{value / row.native:.2f}"

    target, verdict = "", {None: "", True: "yes", False: "**no**"}[row.is_met]
    if row.target is not None:
        unit = "" if row.target.is_ratio or not row.unit else f" {row.unit}"
        target = f"{row.target.sense} {row.target.limit:g}{unit}"
        if row.rival in row.others:
            target += f", ≤ {row.rival}"
        if row.is_met is None:
            verdict = NOTHING
    what = row.what + (f" ({row.note})" if row.note else "")
    native = "" if row.native is None else shown(row.native)
    others = [ratio(row.others.get(name)) for name in (BINDFS, EXAMPLE, FLOOR)]
    firn = "" if row.firn is None and row.native is not None else shown(row.firn)
    return [what, native, firn, ratio(row.firn), *others, target, verdict]


def table(rows):
    head = ["measurement", "native", "Firn", "ratio", f"{BINDFS}'s ratio", f"{EXAMPLE}'s ratio", f"{FLOOR}'s ratio", "target",
            "met"]
    return markdown(head, [cells(row) for row in rows])


def peer_tables(rows):
    """One table for each data set."""
    head = ["peer", *peers.SECONDS, *peers.BYTES, "rounds"]
    parts = []
    for data in dict.fromkeys(row.data for row in rows):
        same = [row for row in rows if row.data == data]
        firn = next(row.figures for row in same if row.peer == "Firn")
        parts.append(f"{data[0].upper()}{data[1:]}:\n\n" + markdown(head, [peer_cells(row, firn) for row in same]))
    return "\n\n".join(parts)


def peer_cells(row, firn):
    name = row.peer + (f" ({row.note})" if row.note else "")
    return [name, *(peer_cell(row, column, firn) for column in peers.SECONDS + peers.BYTES), str(row.rounds)]


def peer_cell(row, column, firn):
    """Bold where the peer is better than Firn."""
    value = row.figures.get(column)
    if value is None:
        return NOTHING
    shown = f"{figure(value)} s" if column in peers.SECONDS else f"{figure(value / 1e6)} MB"
    is_better = firn.get(column) is not None and value < firn[column]
    return f"**{shown}**" if is_better else shown


def markdown(head, rows):
    rule = ["---", *["--:"] * (len(head) - 2), "---"]
    return "\n".join("| " + " | ".join(of).replace("\n", " ") + " |" for of in [head, rule, *rows])


def describe_machine(rig):
    model = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
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
        "Load average at the start, five minutes": f"{os.getloadavg()[1]:.1f}",
        "Date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }


def document(command, machine, rounds, rows, peer_rows, plot):
    facts = "\n".join(f"- {name}: {value}" for name, value in machine.items())
    return TEMPLATE.format(
        command=command, facts=facts, rounds=rounds, table=table(rows), peers=peer_tables(peer_rows), plot=plot,
        peer_seconds=peers.PEER_SECONDS_MAX)


TEMPLATE = """# Benchmarks

Written by

    {command}

which builds the release binary and measures on one disk, in one run: a mounted store and, beside it, a plain directory
on the same filesystem.

{facts}

Each figure is the median of {rounds} rounds or more; the sides take turns, and each goes first in its turn. *native*
is the plain directory, a ratio is the figure over the native one: of times the smaller is the better, of rates the
larger. The last ratios are those of other filesystems that pass a directory through, in the same rounds: *bare C* is
`scripts/bench/floor.c`, which does the least that one can. The
targets are those of the release. {dash} says that something could not be measured, and why.

{table}

What the rows mean:

- *write and fsync*: a new file in blocks of 1 MiB, from `open` to `close`.
- *warm*: read or listed once before. *cold*: the kernel's caches were dropped and, where names are looked at, the
  daemon has just started.
- *create*, *open, read, close*, *stat*: one C program, which goes through the files one after the other, 100 to a
  directory. *staged* files are not in any version yet.
- *git status*: the second after the archive was unpacked; the archive holds the repository as well.
- *commit*: the whole run of `firn commit`, from its start to its end; *beside its start and end*: without what
  `firn --version` takes; *by .firn/commit*: a program that is running already writes to that file, and its `close`
  returns. *pause*: the part in which programs that write to `staging/` wait.
- *hashed before*: `firn status` said that nothing was waiting, and the daemon was idle. *not hashed before*:
  committed as soon as the last file was closed, its bytes synced.
- *cost of a file*: its target is 1.2 times that of the smallest commit.
- *memory* is the daemon's resident set.

## How long commits take

![Commit time against the size of the tree and of the change]({plot})

## The same data with other programs

Each peer in turn in each round, until it had used up {peer_seconds} seconds. The times of commits and restores end
when everything is on the disk. Nobody's start is left out. Firn commits right after the data were written, and reads
the one file through the mount. *stored* is what the repository takes on the disk, without what the user works in.
In **bold**: better than Firn.

{peers}
""".replace("{dash}", f"“{NOTHING}”")
