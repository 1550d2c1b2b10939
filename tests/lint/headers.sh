#!/bin/bash
# SPDX-License-Identifier: MIT
# Headers: each compiles alone, and twice in a row, with gcc and clang; its guard is named after its
# path (SPLITDOM_RING_SRING_H, SPLITDOM_BLKIF_H).
. "$(dirname "$0")/files.sh"

flags=(-std=gnu11 -D_GNU_SOURCE -Iinclude -Isrc -pthread -Wall -Wextra -Wconversion -Werror -fsyntax-only)
if pkg-config --exists liburing 2>/dev/null; then
    flags+=(-DHAVE_LIBURING=1)
fi

findings=$(
    c_files include src tools | grep '\.h$' | while read -r header; do
        guard=SPLITDOM_$(sed -E 's,^(include/splitdom|src|tools)/,,; s,[/.-],_,g' <<<"$header" | tr a-z A-Z)
        grep -qx "#ifndef $guard" "$header" || echo "$header:1: the include guard should be $guard"
        for cc in gcc clang; do
            command -v $cc >/dev/null || continue
            printf '#include "%s"\n#include "%s"\n' "$PWD/$header" "$PWD/$header" |
                $cc "${flags[@]}" -x c - 2>&1 | grep -E '(error|warning):' | head -n 3 |
                sed -E "s|^$PWD/||; s|^([^:]*:[0-9]+):[0-9]+:|\\1:|; s|\$| ($cc, $header alone)|"
        done
    done
)
finish "$findings"
