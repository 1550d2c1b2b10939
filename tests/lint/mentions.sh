#!/bin/bash
# SPDX-License-Identifier: MIT
# What documents, man pages and comments mention exists. In documents: links and their headings, paths, targets of
# make, sections of bench/run.sh, names with an underscore, options of each program and script in its own sources. In
# man pages the same, and each option of a program is in its page. In comments of src/ and include/: headers in
# brackets, names with an underscore. What is of Xen, Linux or others stands in foreign.names.
. "$(dirname "$0")/files.sh"

command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
findings=$(files '.' | python3 -B "$lint_here/mentions.py" "$lint_here/foreign.names")
[ $? = 0 ] || [ -n "$findings" ] || findings="tests/lint/mentions.py:1: has ended before its end"
finish "$findings"
