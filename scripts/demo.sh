#!/usr/bin/env bash
# Shows Firn at work: an ordinary training script writes to a mount, its results are committed as
# versions, compared, checked and brought back. Every command is printed with its real output.
#
#   scripts/demo.sh
#
# Everything happens in a temporary directory that is removed at the end. Nothing is left mounted.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=
baseline_epochs=4 baseline_lr=0.001
tuned_epochs=8 tuned_lr=0.003

die() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

heading() { printf '\n# %s\n' "$*"; }

# Prints a command and runs it, so that what is shown is what was done.
show() {
    printf '$ %s\n' "$1"
    eval "$1"
}

# As `show`, for a comparison that has to find something: diff says so with exit status 1.
show_difference() {
    local status=0
    show "$1" || status=$?
    ((status == 1)) || die "expected differences, but the exit status was $status"
}

# One value of the JSON line a training run ended with.
result() {
    tail -n 1 "$1" | python -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$2"
}

human() { numfmt --to=iec-i --suffix=B --format=%.1f "$1"; }

# Reads the mount table, because looking at the mountpoint itself fails once its daemon is gone.
is_mounted() {
    [[ -n $work ]] && grep -qF " ${work// /\\040}/mnt " /proc/self/mountinfo
}

# Processes this script started, found by the store they were given: nothing else can have that name.
started_here() {
    local file
    for file in /proc/[0-9]*/environ; do
        if env -u FIRN_STORE grep -qszxF "FIRN_STORE=$work/store" "$file"; then
            file=${file#/proc/}
            printf '%s\n' "${file%/environ}"
        fi
    done
}

wait_until_gone() {
    local _
    for _ in {1..50}; do
        [[ -z $(started_here) ]] && return 0
        sleep 0.1
    done
    return 1
}

end_processes() {
    local signal pids
    wait_until_gone && return 0
    for signal in TERM KILL; do
        mapfile -t pids < <(started_here)
        ((${#pids[@]})) && kill -s "$signal" "${pids[@]}" 2>/dev/null
        wait_until_gone && return 0
    done
    return 1
}

clean_up() {
    local status=$?
    trap - EXIT
    trap '' INT TERM HUP PIPE
    set +e
    [[ -n $work ]] || exit "$status"
    cd /
    if ((status != 0)); then
        printf '\ndemo: failed (exit status %d); cleaning up\n' "$status" >&2
        # What the daemon has to say about it goes away with the store.
        find "$work/store" -maxdepth 2 -name '*.log' -exec tail -n 20 -v {} + 2>/dev/null >&2
    fi
    if is_mounted; then
        timeout 20 firn unmount "$work/mnt" >/dev/null 2>&1
    fi
    if is_mounted; then
        fusermount3 -u -z "$work/mnt" 2>/dev/null || umount -l "$work/mnt" 2>/dev/null
    fi
    end_processes || printf 'demo: still running: %s\n' "$(started_here | tr '\n' ' ')" >&2
    if is_mounted; then
        printf 'demo: %s could not be unmounted, so %s is left in place\n' "$work/mnt" "$work" >&2
        exit 1
    fi
    rm -rf --one-file-system -- "$work"
    exit "$status"
}

[[ -c /dev/fuse ]] || die "there is no /dev/fuse here, and Firn mounts with FUSE.
Load the kernel module (modprobe fuse), or start the container with: --device /dev/fuse --cap-add SYS_ADMIN"

"$root/scripts/bootstrap.sh"

heading "Build"
cd "$root"
show 'swift build -c release --static-swift-stdlib --product firn'
binaries=$(swift build -c release --static-swift-stdlib --show-bin-path)
export PATH=$binaries:$root/.build/venv/bin:$PATH

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
work=$(cd "$(mktemp -d -t firn-demo.XXXXXX)" && pwd -P)
cp "$root"/scripts/demo/*.py "$work"
cd "$work"
mkdir mnt

heading "Make a store and mount it"
# shellcheck disable=SC2016 # printed as typed; eval expands it
show 'export FIRN_STORE=$PWD/store'
show 'firn init store'
show 'firn mount store mnt'
show 'ls -A mnt'

heading "Train. The script knows nothing of Firn: it writes to a directory."
show "python train.py --out mnt/staging/run --epochs $baseline_epochs --lr $baseline_lr | tee baseline.out"
show 'ls -lR mnt/staging/run'

heading "Commit: seal what was written"
show "firn commit -m 'Two spirals, first try' -t baseline \\
    --param lr=$baseline_lr --param epochs=$baseline_epochs --metric accuracy=$(result baseline.out accuracy)"

heading "Train again with other parameters, over the same files, and commit"
show "python train.py --out mnt/staging/run --epochs $tuned_epochs --lr $tuned_lr | tee tuned.out"
show "firn commit -m 'Faster and longer' -t tuned \\
    --param lr=$tuned_lr --param epochs=$tuned_epochs --metric accuracy=$(result tuned.out accuracy)"

heading "Every version is a directory, every tag a symlink"
show 'ls -l mnt/versions/'
show_difference 'diff -rq mnt/versions/baseline mnt/versions/tuned'

heading "The same, told by Firn"
show 'firn log'
show 'firn show tuned'
show 'firn diff baseline tuned'

heading "The first version's checkpoint still holds the weights that were saved"
show 'python check_weights.py mnt/versions/baseline/run/checkpoints/last.pt baseline.out'

heading "Bring one file of the first version back into staging"
show 'firn restore baseline run/config.json'
show 'cmp mnt/staging/run/config.json mnt/versions/baseline/run/config.json'

heading "Unmount and mount again: everything is still there, staged changes too"
show 'firn unmount mnt'
is_mounted && die "mnt is still mounted"
show 'firn mount store mnt'
show 'ls -l mnt/versions/'
show 'python check_weights.py mnt/versions/baseline/run/checkpoints/last.pt baseline.out'
show 'python check_weights.py mnt/versions/tuned/run/checkpoints/last.pt tuned.out'
show 'cmp mnt/staging/run/config.json mnt/versions/baseline/run/config.json'
show 'firn verify'

heading "What was saved, and the space it takes"
show 'firn du'
sizes=$(find mnt/versions/v[0-9]* -type f -printf '%s\n')
files=$(wc -l <<<"$sizes")
versions_bytes=$(awk '{ sum += $1 } END { printf "%d", sum }' <<<"$sizes")
objects_bytes=$(find store/objects -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum }')

show 'firn unmount mnt'
is_mounted && die "mnt is still mounted"
# Measured after unmounting, when the catalog has been checkpointed.
store_bytes=$(du -s --block-size=1 store | cut -f 1)

printf '\n%-44s %10s\n' "the versions' files, added up ($files files)" "$(human "$versions_bytes")"
printf '%-44s %10s\n' "their contents in the store, each once" "$(human "$objects_bytes")"
printf '%-44s %10s\n' "the whole store on disk (du)" "$(human "$store_bytes")"
end_processes || die "a process is still running"
printf '\nDone. Nothing is left mounted.\n'
