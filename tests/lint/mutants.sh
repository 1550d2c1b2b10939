#!/bin/bash
# SPDX-License-Identifier: MIT
# tests/mutants.known: each record is a file, or file:function, and its kind, the line before, the line after and
# the reason; the file is there and has that line still (tools/mutants.py folds blanks, so does this).
. "$(dirname "$0")/files.sh"

known=tests/mutants.known
[ -e $known ] || exit 0
finish "$(awk -v known=$known '
    function complain(what) { print known ":" begin ": " what; count = 0 }
    function folded(text) { gsub(/[ \t]+/, " ", text); sub(/^ /, "", text); sub(/ $/, "", text); return text }
    function has(path, line,    text) {
        if (!(path in seen)) {
            seen[path] = 1
            while ((getline text <path) > 0) lines[path, folded(text)] = 1
            close(path)
        }
        return (path, line) in lines
    }
    function judge(    path) {
        if (count == 0) return
        if (count < 4 || split(record[1], head, " ") != 2 || (head[2] != "equivalent" && head[2] != "elsewhere") ||
            record[2] !~ /^- / || record[3] !~ /^[+] ?/) {
            complain("\"PATH[:FUNCTION] equivalent\" or \"elsewhere\", the two lines, the reason")
            return
        }
        path = head[1]
        sub(/:.*/, "", path)
        if (!has(path, substr(record[2], 3))) complain(path " has no line \"" substr(record[2], 3) "\"")
        count = 0
    }
    /^#/ { next }
    /^$/ { judge(); next }
    { if (count == 0) begin = NR; record[++count] = $0 }
    END { judge() }
' $known)"
