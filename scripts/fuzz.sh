#!/usr/bin/env bash
# Fuzzes what reads bytes that Firn did not write (Tests/FuzzTargets), guided by coverage, with libFuzzer and
# AddressSanitizer; then keeps what reached new code in the corpus that the tests replay (Tests/FuzzTests/Corpus).
#
#   scripts/fuzz.sh [SECONDS [TARGET...]]       600 seconds for each target unless told otherwise
#
# An input that breaks a promise, takes more than 5 seconds or more than 1 GiB ends the run; it is kept in the
# corpus, too.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
seconds=${1:-600}
shift || true
corpus=$root/Tests/FuzzTests/Corpus
work=$root/.build/fuzz-work
# Printing a stack trace of its own would make Swift's runtime wait for libFuzzer, and that for it.
export SWIFT_BACKTRACE=enable=no
export FIRN_FUZZ=1

swift build --configuration release --product fuzz --scratch-path .build/fuzz
fuzz=$(readlink -f "$(swift build --configuration release --scratch-path .build/fuzz --show-bin-path)/fuzz")

while read -r target length; do
    (($# == 0)) || [[ " $* " == *" $target "* ]] || continue
    mkdir -p "$work/$target" "$work/new/$target" "$corpus/$target"
    limits=(-max_len="$length" -timeout=5 -rss_limit_mb=1024)
    printf 'fuzz: %s for %s s\n' "$target" "$seconds" >&2
    status=0
    FIRN_FUZZ_TARGET=$target nice -n 19 "$fuzz" "${limits[@]}" -max_total_time="$seconds" -print_final_stats=1 \
        -artifact_prefix="$work/$target-" "$work/$target" "$corpus/$target" >"$work/$target.log" 2>&1 || status=$?
    grep -E 'DONE|^stat::' "$work/$target.log" | tail -6 >&2 || true
    if ((status != 0)); then
        tail -30 "$work/$target.log" >&2
        printf 'fuzz: %s failed; its input is beside %s\n' "$target" "$work/$target.log" >&2
        exit 1
    fi
    # The smallest set that reaches the same code.
    rm -rf "$work/new/$target"
    mkdir -p "$work/new/$target"
    FIRN_FUZZ_TARGET=$target "$fuzz" "${limits[@]}" -set_cover_merge=1 "$work/new/$target" "$corpus/$target" "$work/$target" \
        >>"$work/$target.log" 2>&1
    rm -rf "${corpus:?}/$target"
    mv "$work/new/$target" "$corpus/$target"
done < <("$fuzz")
