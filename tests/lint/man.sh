#!/bin/bash
# SPDX-License-Identifier: MIT
# Man pages: groff has nothing to say against them, and the pages of the library's headers have each
# function as the header declares it.
. "$(dirname "$0")/files.sh"

mapfile -t pages < <(files '^docs/man/.*\.[0-9]$')
[ ${#pages[@]} = 0 ] && exit 0

# one_line: the text with all white space as single blanks.
one_line() { tr -s ' \t\n' ' '; }

# prototypes NOUN: of its header's functions, one a line.
prototypes() {
    sed -e 's,/\*.*\*/,,' -e '/\/\*/,/\*\//d' -e '/^#/d' "include/splitdom/$1.h" | one_line |
        sed 's/[;{}]/;\n/g' | sed -nE "s/^ *(.*[ *]$1_[a-z0-9_]*[(].*;)\$/\\1/p"
}

finish "$(
    for page in "${pages[@]}"; do
        if command -v groff >/dev/null; then
            groff -man -ww -z "$page" 2>&1 | sed -E 's,^[a-z]+: ?([^:]*:[0-9]+): ,\1: ,'
        fi
        noun=$(basename "$page" .3)
        [ "$page" != "${page%.3}" ] && [ -e "include/splitdom/$noun.h" ] || continue
        text=$(one_line <"$page")
        prototypes "$noun" | while IFS= read -r prototype; do
            [[ $text == *"$prototype"* ]] || echo "$page:1: not as the header has it: $prototype"
        done
    done
)"
