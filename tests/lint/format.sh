#!/bin/bash
# SPDX-License-Identifier: MIT
# Formatting: .clang-format as version 14 understands it (others differ in details, so they skip).
# With --fix the files are rewritten.
fix=
if [ "${1-}" = --fix ]; then
    fix=1
    shift
fi
. "$(dirname "$0")/files.sh"

reference=14
tool=clang-format-$reference
command -v $tool >/dev/null || tool=clang-format
command -v $tool >/dev/null || { echo "clang-format is not installed"; exit 77; }
version=$($tool --version | sed -E 's/.*version ([0-9]+).*/\1/')
mapfile -t list < <(c_files include src tools tests bench)
[ ${#list[@]} = 0 ] && exit 0
style=file:$lint_here/../../.clang-format
if [ -n "$fix" ]; then
    $tool --style="$style" -i "${list[@]}"
    exit
fi
[ "$version" = $reference ] || { echo "clang-format $version is here, $reference is the reference"; exit 77; }
finish "$($tool --style="$style" --dry-run -Werror "${list[@]}" 2>&1 | sed -nE 's/^([^ ]+:[0-9]+):[0-9]+: .*/\1: not as clang-format has it (make format)/p' | sort -u -t: -k1,1 -k2,2n)"
