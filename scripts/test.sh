#!/usr/bin/env bash
# Checks formatting, builds, and runs every test, and a short soak (scripts/soak.sh) unless tests are chosen. Fails
# when a test fails, when none ran, or when the tests leave a mount or a process behind.
#
#   scripts/test.sh [ARGUMENTS FOR swift test]       for example: scripts/test.sh --filter Seal
#
# FIRN_TEST_TIMEOUT: how long the tests may take (default 45m). A mount that hangs would never end.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
limit=${FIRN_TEST_TIMEOUT:-45m}
soak_seconds=20

say() { printf 'test: %s\n' "$*" >&2; }

warn_without_fuse() {
    [[ -c /dev/fuse ]] || say "WARNING: there is no /dev/fuse here: tests that mount are skipped."
}

# One line for each Firn mount: its id, which a later mount at the same place does not share, and place.
firn_mounts() {
    awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "fuse.firn") print $1, $5 }' \
        /proc/self/mountinfo | sort
}

# Processes that the tests started carry a mark in their environment; a Firn built here that was not
# running before is one of theirs as well, even if a test gave it an environment of its own.
firn_processes() {
    local directory pid program
    for directory in /proc/[0-9]*; do
        pid=${directory#/proc/}
        program=$(readlink "$directory/exe" 2>/dev/null) || continue
        if [[ ${program% (deleted)} == "$binaries/firn" ]] ||
            grep -qszxF "FIRN_TEST_RUN=$mark" "$directory/environ"; then
            # The start time tells a process from a later one with the same number.
            printf '%s %s %s\n' "$pid" "$(sed 's/.*) //' "$directory/stat" 2>/dev/null | cut -d ' ' -f 20)" "$program"
        fi
    done | sort
}

# What `$1` lists now and did not list before. Ending is not instant, so it is given some seconds.
left_behind() {
    local _ now
    for _ in {1..50}; do
        now=$(comm -13 <(printf '%s\n' "$2") <("$1"))
        [[ -z $now ]] && return 0
        sleep 0.1
    done
    printf '%s\n' "$now"
}

run_tests() {
    local output tee_pid status=0 _
    exec {output}> >(exec tee "$log")
    tee_pid=$!
    env FIRN_TEST_RUN="$mark" timeout --foreground --kill-after=30 "$limit" \
        swift test --parallel "$@" >&"$output" 2>&1 {output}>&- || status=$?
    exec {output}>&-
    # A daemon left behind may hold the pipe open; it must not hold this script as well.
    for _ in {1..50}; do
        kill -0 "$tee_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill "$tee_pid" 2>/dev/null || true
    ((status != 124)) || say "stopped after $limit"
    return "$status"
}

# The sum over the lines "Test run with 12 tests in 3 suites passed after 0.1 seconds."
tests_run() {
    sed -nE 's/.*Test run with ([0-9]+) tests?( in [0-9]+ suites?)? (passed|failed) after.*/\1/p' "$log" |
        awk '{ sum += $1 } END { print sum + 0 }'
}

"$root/scripts/bootstrap.sh"
export FIRN_TEST_PYTHON=$root/.build/venv/bin/python
warn_without_fuse

swift format lint --strict --recursive Sources Tests Package.swift
swift build --build-tests
binaries=$(swift build --show-bin-path)
binaries=$(readlink -f "$binaries")

log=$(mktemp -t firn-test-log.XXXXXX)

# Debian lets everyone use /dev/fuse; some containers keep it for root, and then an ordinary user's mount could not
# be tested. Opened for the time of the tests.
fuse_mode=
if ((EUID == 0)) && [[ -c /dev/fuse && $(stat -c %a /dev/fuse) != 666 ]]; then
    fuse_mode=$(stat -c %a /dev/fuse)
    chmod 666 /dev/fuse
fi
trap 'rm -f "$log"; [[ -z $fuse_mode ]] || chmod "$fuse_mode" /dev/fuse' EXIT
mark=$$-$RANDOM$RANDOM
mounts_before=$(firn_mounts)
processes_before=$(firn_processes)

failures=0
fail() {
    say "FAILED: $*"
    failures=$((failures + 1))
}

run_tests "$@" || fail "swift test ended with exit status $?"
if (($# == 0)); then
    env FIRN="$binaries/firn" FIRN_TEST_RUN="$mark" "$root/scripts/soak.sh" "$soak_seconds" 1 ||
        fail "the soak ended with exit status $?"
fi
count=$(tests_run)
((count > 0)) || fail "no test ran"
mounts=$(left_behind firn_mounts "$mounts_before")
[[ -z $mounts ]] || fail "mounts were left behind:"$'\n'"$mounts"
processes=$(left_behind firn_processes "$processes_before")
[[ -z $processes ]] || fail "processes were left running:"$'\n'"$processes"

warn_without_fuse
((failures == 0)) || exit 1
say "tests passed: $count; no mount and no process was left behind"
