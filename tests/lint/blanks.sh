#!/bin/bash
# SPDX-License-Identifier: MIT
# White space: none at a line's end, no carriage return, no tab in C or shell, and a newline at the end
# of each file.
. "$(dirname "$0")/files.sh"

findings=$(
    files '\.(c|h|sh|awk|mk|md|1|yml|rules|allow)$' '(^|/)Makefile$' '^\.ci/run$' | while read -r f; do
        [ -s "$f" ] || continue
        grep -nHE $'[ \t\r]+$' "$f" | sed -E 's/^([^:]*:[0-9]+):.*/\1: white space at the end of the line/'
        case $f in *.c | *.h | *.sh) grep -nH $'\t' "$f" | sed -E 's/^([^:]*:[0-9]+):.*/\1: a tab/' ;; esac
        [ -z "$(tail -c 1 "$f")" ] || echo "$f:$(($(wc -l <"$f") + 1)): no newline at the end"
    done
)
finish "$findings"
