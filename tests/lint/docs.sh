#!/bin/bash
# SPDX-License-Identifier: MIT
# What documents name exists: `src/ring/sring.h` is a file, `sched.c: sched_next` a name in that file, and of
# `test_sched: one_test`, `another_test` both are tests of test_sched.c (their names with test_ before them, or without).
# A file may be given with part of its path. Files of Xen and Linux are named with their directories there,
# or stand in foreign.files.
. "$(dirname "$0")/files.sh"

mapfile -t documents < <(files '\.md$' | grep -v '^bench/results/')
[ ${#documents[@]} = 0 ] && exit 0
mapfile -t tree < <(files '.')

# The files whose path ends with the given one, whole names only.
named() { printf '%s\n' "${tree[@]}" | grep -E "(^|/)${1//./\\.}\$"; }

finish "$(
    grep -noE '`[A-Za-z0-9_./-]+\.(c|h|sh|md|pml|mk)(: [A-Za-z_][A-Za-z0-9_]*)?(\(\))?`' "${documents[@]}" /dev/null |
        while IFS= read -r hit; do
            place=$(cut -d: -f1,2 <<<"$hit")
            span=${hit#"$place":}
            span=${span//\`/}
            span=${span%()}
            file=${span%%: *}
            mapfile -t found < <(named "$file")
            if [ ${#found[@]} = 0 ]; then
                [[ $file =~ ^(xen|drivers|arch|tools/xenstored|include/xen)/ || $file =~ [A-Z]{3} ]] && continue
                grep -qx -- "$file" "$lint_here/foreign.files" && continue
                echo "$place: there is no file $file"
            elif [[ $span == *": "* ]] && ! grep -qw -- "${span##*: }" "${found[@]}"; then
                echo "$place: ${found[0]} has no ${span##*: }"
            fi
        done
    grep -noE '`test_[a-z0-9_]+: [a-z0-9_]+`(, `[a-z0-9_]+`)*' "${documents[@]}" /dev/null |
        while IFS= read -r hit; do
            place=$(cut -d: -f1,2 <<<"$hit")
            span=${hit#"$place":}
            span=${span//[\`,]/}
            mapfile -t found < <(named "${span%%: *}.c")
            for name in ${span#*: }; do
                [ ${#found[@]} != 0 ] && grep -qwE -- "(test_)?$name" "${found[@]}" ||
                    named "$name.c" >/dev/null || # another file's tests, all of them
                    echo "$place: ${span%%: *}.c has no $name"
            done
        done
)"
