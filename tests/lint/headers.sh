#!/bin/bash
# SPDX-License-Identifier: MIT
# Headers: each compiles alone, and twice in a row, with gcc (TEST_LONG: and clang, which has seen them all in the
# stage of that name); its guard is named after its path (SPLITDOM_RING_SRING_H, SPLITDOM_BLKIF_H).
. "$(dirname "$0")/files.sh"

flags=(-std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -Wall -Wextra -Wconversion -Werror -fsyntax-only)
if pkg-config --exists liburing 2>/dev/null; then
    flags+=(-DHAVE_LIBURING=1)
fi

compilers=(gcc)
[ -z "${TEST_LONG:-}" ] || compilers+=(clang)
command -v gcc >/dev/null || compilers=(clang)

findings=$(
    c_files include src tools | grep '\.h$' | while read -r header; do
        guard=${header#include/splitdom/} guard=${guard#src/} guard=${guard#tools/}
        guard=SPLITDOM_${guard//[\/.-]/_}
        grep -qx "#ifndef ${guard^^}" "$header" || echo "$header:1: the include guard should be ${guard^^}"
        for cc in "${compilers[@]}"; do
            command -v "$cc" >/dev/null || continue
            said=$($cc "${flags[@]}" -x c - 2>&1 <<<"#include \"$PWD/$header\"
#include \"$PWD/$header\"") && continue
            grep -E '(error|warning):' <<<"$said" | head -n 3 |
                sed -E "s|^$PWD/||; s|^([^:]*:[0-9]+):[0-9]+:|\\1:|; s|\$| ($cc, $header alone)|"
        done
    done
)
finish "$findings"
