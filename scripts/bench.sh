#!/usr/bin/env bash
# Measures Firn against the directory it stores into and writes docs/BENCHMARKS.md.
#
#   scripts/bench.sh [--dir DIRECTORY] [--quick] [--rounds N] [--only WORDS] [--no-report]
#
#   --dir DIRECTORY  where to work: on the disk that is to be measured (default: .build of this checkout)
#   --quick          small sizes, to see that everything runs; writes no report
#   --rounds N       rounds of each measurement, of which the median counts (default 5)
#   --only WORDS     only groups whose name is among these: data, list, small, commit, large
#   --no-report      print the table only
#
# Needs about 12 GiB on that disk and up to half an hour. As root it also drops the kernel's caches; as an
# ordinary user the rows that need it are left out. It builds the release binary. FIRN names another one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

[[ -c /dev/fuse ]] || die "there is no /dev/fuse here, and Firn mounts with FUSE"
command -v python3 >/dev/null || die "python3 was not found; scripts/bootstrap.sh installs it"

firn=${FIRN:-}
if [[ -z $firn ]]; then
    swift build -c release --static-swift-stdlib --product firn >&2
    firn=$(swift build -c release --static-swift-stdlib --show-bin-path)/firn
fi
mkdir -p .build
exec python3 scripts/bench/bench.py --firn "$firn" --dir .build --report docs/BENCHMARKS.md "$@"
