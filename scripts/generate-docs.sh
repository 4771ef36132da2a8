#!/usr/bin/env bash
# Writes what is made from the argument parser: docs/man, docs/completions, and the help texts that the
# tests compare (Tests/FirnTests/Snapshots). The tests fail when any of these is out of date.
#
#   scripts/generate-docs.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

swift build --product firn
firn=$(swift build --show-bin-path)/firn

mkdir -p docs/man docs/completions Tests/FirnTests/Snapshots
rm -f docs/man/*.1 Tests/FirnTests/Snapshots/*.txt
"$firn" generate-manual docs/man
"$firn" --generate-completion-script bash >docs/completions/firn.bash
"$firn" --generate-completion-script zsh >docs/completions/_firn
"$firn" --generate-completion-script fish >docs/completions/firn.fish

FIRN_UPDATE_SNAPSHOTS=1 swift test --filter FirnTests.HelpTests
