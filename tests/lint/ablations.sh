#!/bin/bash
# SPDX-License-Identifier: MIT
# The patches of bench/ablations still fit the sources, and say what they take away and for which loads.
. "$(dirname "$0")/files.sh"

findings=$(
    files '^bench/ablations/.*\.patch$' | while read -r p; do
        grep -q '^what: .' "$p" || echo "$p:1: no line \"what:\""
        grep -q '^loads: .' "$p" || echo "$p:1: no line \"loads:\""
        patch -p0 --dry-run -s -f -F0 <"$p" >/dev/null 2>&1 ||
            echo "$p:1: does not fit the sources any more: make it anew"
    done
)
finish "$findings"
