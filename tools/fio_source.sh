#!/bin/bash
# SPDX-License-Identifier: MIT
# Finds the configured source of the installed fio, for `make fio-engine`, and prints its directory.
#   FIO_SOURCE   a tree of that version; without it: build/fio-VERSION, fetched by apt-get source (Debian,
#                Ubuntu), with a list of sources of its own: the system's stays as it is
# Exit status: 0; 1 there is none, and the reason.
set -eu
cd "$(dirname "$0")/.."
die() {
    echo "fio-engine: $*" >&2
    exit 1
}
command -v fio >/dev/null || die "fio is not installed"
installed=$(fio --version)
version=${installed#fio-}

fetch() { # DIRECTORY
    local apt=$PWD/build/fio-apt package suite
    command -v apt-get >/dev/null || die "set FIO_SOURCE to a source tree of $installed"
    package=$(dpkg-query -W -f '${source:Version}' fio 2>/dev/null) || die "set FIO_SOURCE to a source tree of $installed"
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    mkdir -p "$apt/lists/partial"
    echo "deb-src http://deb.debian.org/debian $suite main" >"$apt/sources.list"
    [ "$(. /etc/os-release && echo "$ID")" != ubuntu ] ||
        echo "deb-src http://archive.ubuntu.com/ubuntu $suite universe main" >"$apt/sources.list"
    local options=(-qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$apt/lists" -o Acquire::http::Timeout=20 -o Acquire::Retries=1)
    (cd "$apt" && apt-get "${options[@]}" update && apt-get "${options[@]}" source --download-only "fio=$package") >"$apt/log" 2>&1 ||
        die "apt-get source fio=$package failed: $(tail -n 1 "$apt/log")"
    mkdir -p "$1"
    tar -xf "$(find "$apt" -name 'fio_*.orig.tar.*' ! -name '*.asc' | head -n 1)" -C "$1" --strip-components=1
}

source=${FIO_SOURCE:-$PWD/build/fio-$version}
[ -e "$source/ioengines.h" ] || [ -n "${FIO_SOURCE:-}" ] || fetch "$source"
[ -e "$source/ioengines.h" ] || die "$source is no source tree of fio"
have=$(sed -n 's/^DEF_VER=//p' "$source/FIO-VERSION-GEN")
[ "$have" = "$installed" ] || die "$source is of $have, $installed is installed: the engine would not fit"
[ -e "$source/config-host.h" ] || (cd "$source" && ./configure --disable-native >configure.log 2>&1) ||
    die "$source/configure failed, see configure.log there"
echo "$source"
