#!/bin/bash
# SPDX-License-Identifier: MIT
# White space: none at a line's end, no carriage return, no tab in C or shell, and a newline at the end
# of each file.
. "$(dirname "$0")/files.sh"

mapfile -t list < <(files '\.(c|h|sh|awk|mk|md|1|yml|rules|allow)$' '(^|/)Makefile$' '^\.ci/run$' |
    while read -r f; do [ ! -s "$f" ] || echo "$f"; done)
mapfile -t code < <(printf '%s\n' "${list[@]}" | grep -E '\.(c|h|sh)$')
finish "$(
    grep -nHE $'[ \t\r]+$' "${list[@]}" /dev/null | sed -E 's/^([^:]*:[0-9]+):.*/\1: white space at the end of the line/'
    grep -nH $'\t' "${code[@]}" /dev/null | sed -E 's/^([^:]*:[0-9]+):.*/\1: a tab/'
    # The last byte of each, a line each.
    tail -q -c 1 "${list[@]}" /dev/null | od -An -v -tx1 -w1 | grep -n -v ' 0a' | cut -d: -f1 | while read -r n; do
        f=${list[n - 1]}
        echo "$f:$(($(wc -l <"$f") + 1)): no newline at the end"
    done
)"
