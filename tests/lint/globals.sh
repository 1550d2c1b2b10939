#!/bin/bash
# SPDX-License-Identifier: MIT
# Globals: src/ and tools/ have no writable data, static variables inside functions included, but what
# globals.allow lists with a reason. Looks at the objects of the plain build where they are newer than
# their sources, else compiles.
. "$(dirname "$0")/files.sh"

allow=$lint_here/globals.allow
[ -n "${GLOBALS_ALLOW-}" ] && allow=$GLOBALS_ALLOW
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT

findings=$(
    c_files src tools | grep '\.c$' | while read -r source; do
        object=build/plain/${source%.c}.o
        if [ ! "$object" -nt "$source" ]; then
            object=$tmp/x.o
            gcc -std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -w -c -o "$object" "$source" 2>"$tmp/err" || {
                # Not installed here: what is built against it is not, either.
                grep -q '\(nbdkit-plugin\|config-host\).h: No such file' "$tmp/err" && continue
                echo "$source:1: does not compile: $(head -n 1 "$tmp/err")"
                continue
            }
        fi
        objdump -t "$object" |
            awk 'NF >= 5 && $NF !~ /^\./ {
                     for (i = 1; i < NF; i++)
                         if (($i ~ /^\.(data|bss|tdata|tbss|lbss|ldata)/ && $i !~ /^\.data\.rel\.ro/) || $i == "*COM*")
                             print $NF
                 }' | sed 's/\.[0-9]*$//' | grep -v '^__' | sort -u | while read -r symbol; do
            grep -qE "^${source}[ \t]+${symbol}[ \t]+[^ ]" "$allow" 2>/dev/null && continue
            line=$(grep -nwE "$symbol" "$source" | head -n 1 | cut -d: -f1)
            echo "$source:${line:-1}: writable global '$symbol': pass a context, or list it in tests/lint/globals.allow with the reason"
        done
    done
    # An entry whose variable is gone is wrong, too.
    grep -v '^#' "$allow" 2>/dev/null | while read -r source symbol _; do
        [ -z "$source" ] || grep -qsw "$symbol" "$source" || echo "tests/lint/globals.allow:1: $source has no '$symbol'"
    done
)
finish "$findings"
