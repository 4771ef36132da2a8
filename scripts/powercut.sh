#!/usr/bin/env bash
# Cuts the power of a disk on which a daemon works, many times, and looks whether anything was lost.
#
#   scripts/powercut.sh [SECONDS] [SEED] [FILESYSTEM…]       default: 300 seconds, seed 1, ext4 xfs btrfs
#
#   --load SECONDS   how long each load runs (default 8)
#   --captures N     how many cuts are made of each load (default 40)
#   --keep           leaves the image of a disk that was not as it must be
#
# A disk that lies on a small FUSE program remembers every write and every flush. Programs write, sync, commit, forget
# and collect garbage on it. Then the disk is made again as it was at random moments: all that was written up to the
# last flush, and of what came after it nothing, everything, or a part, in sectors and in any order. Each is mounted,
# and what was acknowledged by then must be there: versions bit for bit, synced files of staging, and the next commit.
#
# Needs root and loop devices. Builds the release binary; FIRN names another one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

die() {
    printf 'powercut: %s\n' "$*" >&2
    exit 1
}

((EUID == 0)) || die "only root can make disks"
[[ -c /dev/fuse ]] || die "there is no /dev/fuse here"
[[ -c /dev/loop-control ]] || die "there are no loop devices here"

packages=()
command -v mkfs.ext4 >/dev/null || packages+=(e2fsprogs)
command -v mkfs.xfs >/dev/null || packages+=(xfsprogs)
command -v mkfs.btrfs >/dev/null || packages+=(btrfs-progs)
if ((${#packages[@]})); then
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${packages[@]}" >&2 ||
        die "could not install: ${packages[*]}"
fi

firn=${FIRN:-}
if [[ -z $firn ]]; then
    swift build -c release --static-swift-stdlib --product firn >&2
    firn=$(swift build -c release --static-swift-stdlib --show-bin-path)/firn
fi
exec python3 scripts/powercut/powercut.py --firn "$firn" "$@"
