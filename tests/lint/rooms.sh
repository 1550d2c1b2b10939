#!/bin/bash
# SPDX-License-Identifier: MIT
# Rooms: a folder holds at most 25 nouns (a .c with its .h is one), and neither files nor folders include
# each other in a circle. A folder that contains others counts apart from them.
. "$(dirname "$0")/files.sh"

mapfile -t list < <(c_files include src tools)
[ ${#list[@]} = 0 ] && exit 0

crowded=$(printf '%s\n' "${list[@]}" | sed 's/\.[ch]$//' | sort -u | awk -F/ '
    { folder = $0; sub(/\/[^\/]*$/, "", folder); nouns[folder]++ }
    END { for (f in nouns) if (nouns[f] > 25) printf "%s:1: %d nouns, at most 25: split the room\n", f, nouns[f] }')

# Prints "FROM TO" for each include that names a file of the tree.
edges() {
    awk '
    FNR == NR { is_file[$0] = 1; next }
    /^[ \t]*#[ \t]*include[ \t]*"/ {
        name = $0
        sub(/^[^"]*"/, "", name)
        sub(/".*$/, "", name)
        own = FILENAME
        sub(/[^\/]*$/, "", own)
        if ((own name) in is_file) print FILENAME, own name
        else if (("src/" name) in is_file) print FILENAME, "src/" name
        else if (("include/" name) in is_file) print FILENAME, "include/" name
    }' <(printf '%s\n' "${list[@]}") "${list[@]}"
}

folders() { sed -E 's,/[^/ ]+( |$),\1,g' | awk '$1 != $2' | sort -u; }

# circles WHAT: reads edges; tsort names the members of each circle on standard error.
circles() {
    tsort 2>&1 >/dev/null | sed -n 's/^tsort: //p' | grep -v 'contains a loop' |
        awk -v what="$1" '{ names = names sep $0; if (first == "") first = $0; sep = ", " }
            END { if (first != "") printf "%s:1: %s include each other in a circle: %s\n", first, what, names }'
}

finish "$({
    printf '%s\n' "$crowded"
    edges | circles files
    edges | folders | circles folders
} | grep .)"
