#!/bin/bash
# SPDX-License-Identifier: MIT
# uninstall.sh DESTDIR PREFIX BIN OUT SONAME, called by `make uninstall`: removes what `make install` with the same
# DESTDIR and PREFIX puts there, and the folder of the headers. Other folders stay, as others may use them.
set -eu
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
tools/install.sh "$staged" '' "$3" "$4" "$5" >/dev/null # the names are the same, whatever PREFIX is
(cd "$staged" && find . -type f -o -type l) | while IFS= read -r name; do rm -f "$1$2/$name"; done
rm -f "$1$2"/lib/nbdkit/plugins/nbdkit-splitdom-plugin.so "$1$2"/lib/fio/fio-splitdom.so "$1$2"/bin/splitdom-domu-shim
[ ! -d "$1$2/include/splitdom" ] || rmdir --ignore-fail-on-non-empty "$1$2/include/splitdom"
echo "removed from $1$2"
