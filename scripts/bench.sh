#!/usr/bin/env bash
# Measures Firn against the directory it stores into and against its peers, and writes docs/BENCHMARKS.md and
# docs/benchmarks.svg.
#
#   scripts/bench.sh [--dir DIRECTORY] [--quick] [--huge] [--peers] [--rounds N] [--only WORDS] [--no-report]
#                    [--passthrough-example PATH]
#
#   --dir DIRECTORY  where to work: on the disk that is to be measured (default: .build of this checkout)
#   --quick          small sizes and no targets, to see that everything runs; writes no report
#   --huge           trees of 1,000,000 files instead of 200,000, which takes an hour more
#   --peers          installs the peers first: Debian's packages, and DVC below .build with pip
#   --rounds N       rounds of each measurement, of which the median counts (default 5)
#   --only WORDS     only groups whose name is among these: data, metadata, trees, checkpoint, files, peers
#   --no-report      print the tables only
#   --passthrough-example PATH
#                    libfuse's example passthrough_hp, measured in the same rounds as the names and small files
#
# Needs about 12 GiB on that disk and half an hour. As root it also drops the kernel's caches; as an ordinary user the
# rows that need it say so. Peers that are not installed are left out. It builds the release binary. FIRN names another.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

die() {
    printf 'bench: %s\n' "$*" >&2
    exit 1
}

dvc=.build/bench-dvc/bin/dvc

install_peers() {
    local packages=(bindfs borgbackup casync git git-annex git-lfs ostree python3-venv restic)
    ((EUID == 0)) || die "only root can install packages"
    if ! { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --yes --no-install-recommends "${packages[@]}"; } >&2; then
        printf 'bench: not all of these could be installed: %s\n' "${packages[*]}" >&2
    fi
    [[ -x $dvc ]] || { python3 -m venv .build/bench-dvc && .build/bench-dvc/bin/pip -q install dvc; } >&2 ||
        printf 'bench: DVC could not be installed\n' >&2
}

[[ -c /dev/fuse ]] || die "there is no /dev/fuse here, and Firn mounts with FUSE"
command -v python3 >/dev/null || die "python3 was not found; scripts/bootstrap.sh installs it"
command -v cc >/dev/null || die "cc was not found; scripts/bootstrap.sh installs a compiler"

mkdir -p .build
arguments=()
for word in "$@"; do
    if [[ $word == --peers ]]; then install_peers; else arguments+=("$word"); fi
done

firn=${FIRN:-}
if [[ -z $firn ]]; then
    swift build -c release --static-swift-stdlib --product firn >&2
    firn=$(swift build -c release --static-swift-stdlib --show-bin-path)/firn
fi
[[ -x $dvc ]] || dvc=$(command -v dvc || true)
exec env PYTHONDONTWRITEBYTECODE=1 python3 scripts/bench/bench.py --firn "$firn" --dir .build \
    --report docs/BENCHMARKS.md --dvc "${dvc:+$(realpath "$dvc")}" "${arguments[@]}"
