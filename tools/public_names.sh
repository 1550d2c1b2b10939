#!/bin/bash
# SPDX-License-Identifier: MIT
# The library's public names, one a line: the functions that the installed headers declare.
#   public_names.sh            for objcopy --keep-global-symbols
#   public_names.sh --map      as a version script for the linker
set -eu
cd "$(dirname "$0")/.."
headers=(include/splitdom/blkfront.h)
for noun in domu netfront; do
    [ ! -e "include/splitdom/$noun.h" ] || headers+=("include/splitdom/$noun.h")
done
names=$(gcc -E -P -Iinclude "${headers[@]}" 2>/dev/null || sed 's,/\*.*\*/,,' "${headers[@]}")
names=$(grep -oE '\b(blkfront|domu|netfront)_[a-z0-9_]+ *\(' <<<"$names" | tr -d ' (' | sort -u)
if [ "${1:-}" = --map ]; then
    echo 'SPLITDOM_1 {'
    echo '    global:'
    sed 's/.*/        &;/' <<<"$names"
    echo '    local: *;'
    echo '};'
else
    echo "$names"
fi
