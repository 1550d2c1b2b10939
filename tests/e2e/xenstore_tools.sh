#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Xen's own command line tools against a running store.
#
#     XENSTORED_PATH=... tests/e2e/xenstore_tools.sh
#
# Exit 0: all as expected; 1: the first difference on stderr; 77: the tools are not installed.
set -u

command -v xenstore-ls >/dev/null || exit 77

expect() { # WANTED COMMAND...
    wanted=$1
    shift
    got=$("$@" 2>&1)
    [ "$got" = "$wanted" ] && return
    printf '%s\n  printed: %s\n  wanted:  %s\n' "$*" "$got" "$wanted" >&2
    exit 1
}

expect_exit() { # STATUS COMMAND...
    wanted=$1
    shift
    "$@" >/dev/null 2>&1
    got=$?
    [ "$got" -eq "$wanted" ] && return
    printf '%s\n  exited with %s, not %s\n' "$*" "$got" "$wanted" >&2
    exit 1
}

root=/tools-test
trap 'xenstore-rm $root >/dev/null 2>&1' EXIT

expect_exit 0 xenstore-write $root/a/b hello $root/a/c world
expect hello xenstore-read $root/a/b
expect 'hello
world' xenstore-read $root/a/b $root/a/c
expect 'b
c' xenstore-list $root/a
expect_exit 0 xenstore-exists $root/a/b
expect_exit 1 xenstore-exists $root/a/x
expect_exit 1 xenstore-read $root/a/x
expect_exit 0 xenstore-chmod -r $root n0 r1
expect "$root/a = \"\"   (n0,r1)
$root/a/b = \"hello\"   (n0,r1)
$root/a/c = \"world\"   (n0,r1)" xenstore-ls -f -p $root

# -t removes the parents that have become empty, too
expect_exit 0 xenstore-write $root/t/u/v 1
expect_exit 0 xenstore-rm -t $root/t/u/v
expect_exit 1 xenstore-exists $root/t
expect_exit 0 xenstore-exists $root

# The watch fires once at first, then for the change. It is set when its first line is out.
out=$(mktemp -d) || exit 1
mkfifo "$out/events"
xenstore-watch -n 2 $root/w >"$out/events" &
(
    read -r first
    xenstore-write $root/w/x 1
    read -r second
    printf '%s %s' "$first" "$second" >"$out/seen"
) <"$out/events"
wait
expect "$root/w $root/w/x" cat "$out/seen"
rm -r "$out"

expect_exit 0 xenstore-rm $root/a
expect_exit 1 xenstore-exists $root/a/b
