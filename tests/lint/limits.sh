#!/bin/bash
# SPDX-License-Identifier: MIT
# Limits: a file of code, C or script, has at most 400 lines, a function's body in C at most 70.
. "$(dirname "$0")/files.sh"

mapfile -t list < <(c_files include src tools bench tests)
mapfile -t scripts < <(files '\.(sh|py|awk|mk)$' '(^|/)Makefile$' '^tools/[a-z_]+$')
[ $((${#list[@]} + ${#scripts[@]})) = 0 ] && exit 0
# clang-format puts a function's braces alone in column one.
finish "$(awk '
    FNR == 1 { start = 0; previous = "" }
    FNR == 401 { printf "%s:401: more than 400 lines: split it by its nouns\n", FILENAME }
    FILENAME !~ /\.[ch]$/ { next }
    /^\{/ { start = FNR; head = previous }
    /^\}/ && start {
        if (FNR - start + 1 > 70)
            printf "%s:%d: function of %d lines, at most 70: %s\n", FILENAME, start, FNR - start + 1, head
        start = 0
    }
    { previous = $0 }' "${list[@]}" "${scripts[@]}")"
