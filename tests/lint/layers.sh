#!/bin/bash
# SPDX-License-Identifier: MIT
# Layers: which directory may include which (layers.rules), and only src/ring/barrier.h spells memory
# orders or uses the compiler's atomic builtins.
. "$(dirname "$0")/files.sh"

mapfile -t list < <(c_files include src tools bench tests | grep -v '^tests/lint/')
[ ${#list[@]} = 0 ] && exit 0
findings=$(awk -f "$lint_here/layers.awk" "$lint_here/layers.rules" "${list[@]}" | sort -t: -k1,1 -k2,2n)
mapfile -t list < <(c_files include src | grep -vx src/ring/barrier.h)
[ ${#list[@]} = 0 ] || findings+=$(
    printf '\n'
    grep -nHE 'memory_order|__ATOMIC_|__atomic_|__sync_' "${list[@]}" |
        sed 's/^\([^:]*:[0-9]*\):.*/\1: memory orders and atomic builtins belong to src\/ring\/barrier.h/'
)
finish "$(grep . <<<"$findings")"
