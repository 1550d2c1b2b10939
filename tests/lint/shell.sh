#!/bin/bash
# SPDX-License-Identifier: MIT
# Shell: every script parses, can be executed if it has a #! line, and shellcheck (where it is
# installed) has no error or warning. A dd of random bytes in large blocks has iflag=fullblock: whoever is
# stopped or frozen in such a read gets less, and dd takes that for a block.
. "$(dirname "$0")/files.sh"

findings=$(
    files '\.sh$' '^\.ci/run$' | while read -r f; do
        shell="bash"
        head -n 1 "$f" | grep -qE '^#!.*[ /](sh|dash)$' && shell="sh"
        $shell -n "$f" 2>&1 | sed -E "s|^.*: line ([0-9]+): |$f:\\1: |; t; s|^[^:]*: ([0-9]+): |$f:\\1: |"
        if head -n 1 "$f" | grep -q '^#!' && [ ! -x "$f" ]; then
            echo "$f:1: has a #! line but can't be executed (chmod +x)"
        fi
        # A block of a few thousand bytes comes in one piece.
        grep -nE '\bdd .*if=/dev/u?random\b' "$f" | grep -E '\bbs=([0-9]+[kKMG]|[0-9]{5}|\$)' | grep -vE 'iflag=[a-z,]*fullblock' |
            sed -E "s|^([0-9]+):.*|$f:\1: dd of random bytes without iflag=fullblock may write less|"
        command -v shellcheck >/dev/null &&
            shellcheck -x -S warning -e SC1090,SC1091,SC2034,SC2154 -f gcc -s $shell "$f" | sed -E 's/^([^:]*:[0-9]+):[0-9]+:/\1:/'
    done
)
finish "$findings"
