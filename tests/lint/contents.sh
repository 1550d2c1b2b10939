#!/bin/bash
# SPDX-License-Identifier: MIT
# The table of contents in docs/architecture.md is what the heads of the files say, and each file has one.
. "$(dirname "$0")/files.sh"

page=docs/architecture.md
[ -e "$page" ] || exit 0
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
tools/contents.sh >"$wanted"
finish "$(
    awk -F '|' -v page=$page 'NF > 3 && $3 ~ /^ *$/ { print page ":1: no head in the file of" $2 }' "$wanted"
    sed -n '/^<!-- contents -->$/,/^<!-- end of contents -->$/p' "$page" | sed '1d;$d' | cmp -s - "$wanted" ||
        echo "$page:1: the table of contents is not that of the tree (tools/contents.sh --write)"
)"
