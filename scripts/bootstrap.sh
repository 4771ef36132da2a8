#!/usr/bin/env bash
# Installs what building, testing and the demonstration need, and says nothing when nothing is missing.
#
#   scripts/bootstrap.sh
#
# Debian packages come from apt; Python packages go into .build/venv, apart from the system's own.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
requirements=$root/scripts/requirements.txt
venv=$root/.build/venv
stamp=$venv/requirements.installed

# To build: the libraries Firn links, and the linker and C headers that Swift borrows from the system.
packages=(g++ libarchive-dev libc6-dev libfuse3-dev libsqlite3-dev libssl-dev pkg-config)
# To mount, test and demonstrate: programs that are run on a real mount, or that look at one.
packages+=(acl attr diffutils e2fsprogs fio fuse3 git make man-db procps python3 python3-venv rsync sqlite3 tar util-linux)

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

# Runs a command whose output matters only when it fails.
quietly() {
    local output
    if ! output=$("$@" 2>&1); then
        printf '%s\n' "$output" >&2
        return 1
    fi
}

missing_packages() {
    local package
    for package in "${packages[@]}"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            printf '%s\n' "$package"
    done
}

install_packages() {
    command -v apt-get >/dev/null ||
        die "this is not a Debian system. Install the equivalents of: ${packages[*]}"
    local missing as_root=()
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            die "these packages are missing, and there is no sudo. As root, run: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    say "installing ${missing[*]}"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq)
    quietly "${apt[@]}" update || die "apt-get update failed"
    quietly "${apt[@]}" install --yes --no-install-recommends "${missing[@]}" ||
        die "apt-get install failed"
}

check_swift() {
    command -v swift >/dev/null ||
        die "swift is not on PATH. Install Swift 6.3 or newer (https://www.swift.org/install), then run this again."
}

# The system's Python is the one the pinned versions were chosen for; one from pyenv or conda may differ.
system_python() {
    if [[ -x /usr/bin/python3 ]]; then
        printf '/usr/bin/python3\n'
    else
        command -v python3
    fi
}

# What the environment was made from: another Python or other pins make it out of date.
fingerprint() {
    "$1" --version
    cat "$requirements"
}

install_python_packages() {
    local python wanted
    python=$(system_python) || die "python3 was not found"
    wanted=$(fingerprint "$python")
    # A stamp that is written last: an interrupted installation is done again from the beginning.
    if [[ -x $venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
        return 0
    fi
    say "installing Python packages into .build/venv (a few minutes, once)"
    quietly "$python" -m venv --clear "$venv" || die "python3 -m venv failed"
    quietly "$venv/bin/python" -m pip install --disable-pip-version-check --requirement "$requirements" ||
        die "pip install failed"
    quietly "$venv/bin/python" -c 'import h5py, numpy, pandas, pyarrow, safetensors.torch, torch' ||
        die "the Python packages were installed but cannot be imported"
    printf '%s\n' "$wanted" >"$stamp"
}

mkdir -p "$root/.build"
# Two scripts may start at once; the second waits and then finds the work done.
exec {lock}>"$root/.build/bootstrap.lock"
flock "$lock"
install_packages
check_swift
install_python_packages
exec {lock}>&-
