# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the lint rules share. A rule is a script `RULE.sh [ROOT]`: it looks at the tree ROOT (default:
# this one), prints "file:line: what is wrong" for each finding and exits 1 if there was one.

lint_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${1:-$lint_here/../..}" || exit 2

# The files of the tree whose paths match one of the extended regular expressions, without what is
# built or ignored.
files() {
    local pattern
    pattern=$(printf '%s|' "$@")
    if [ -e .git ]; then
        git ls-files -co --exclude-standard
    else
        find . -type f -printf '%P\n'
    fi | sort | grep -E "${pattern%|}" | while read -r f; do [ -f "$f" ] && echo "$f"; done
}

# The C files, headers included, below the given directories.
c_files() {
    local d
    for d in "$@"; do files "^$d/.*\\.[ch]\$"; done
}

# Text that people read or shells run; inputs of the fuzzers, results and this directory's patterns
# are none of it.
text_files() {
    files '.' | grep -Ev '^tests/lint/|^tests/fuzz/corpus/|^bench/results/|^(sectors|read)\.|\.(img|png|svg|csv|bin)$'
}

# finish FINDINGS: prints them, exit status 1 if there are any.
finish() {
    [ -z "$1" ] && exit 0
    printf '%s\n' "$1"
    exit 1
}
