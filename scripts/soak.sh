#!/usr/bin/env bash
# Runs writers, readers, commits, forgets, gc and kills of the daemon together, then proves that every version that
# was ever acknowledged and not forgotten is what it must be, bit for bit. Half of the time the store is mounted again
# after a kill, half of it a supervisor is there and no program may notice.
#
#   scripts/soak.sh [SECONDS] [SEED] [OPTIONS]       default: 600 seconds, a seed of the clock's
#
#   --way WAY        only one of them: mount or supervise
#   --dir DIRECTORY  where to work (default: .build of this checkout)
#   --keep           leave the store and the records where they are when it fails
#
# A seed gives the same schedule again, as far as the machine's timing lets it. Ends with status 0 if all is proved, and
# leaves nothing behind. It builds the release binary. FIRN names another one.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

die() {
    printf 'soak: %s\n' "$*" >&2
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
exec env PYTHONDONTWRITEBYTECODE=1 python3 scripts/soak/soak.py --firn "$firn" --dir .build "$@"
