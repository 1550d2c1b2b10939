#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Xen's own command line tools and its client library on a store: the one at XENSTORED_PATH, or, without
# that, src/xenstore/ behind a minimal socket server.
set -u

if ! command -v xenstore-ls >/dev/null; then
    echo "xenstore-utils is not installed"
    exit 77
fi

root=/tools-test
dir=$(mktemp -d) || exit 1
server=
cleanup() {
    if [ -n "$server" ]; then
        kill "$server"
        wait "$server" 2>/dev/null
    else
        xenstore-rm $root >/dev/null 2>&1
    fi
    rm -rf "$dir"
}
trap cleanup EXIT

if [ -z "${XENSTORED_PATH:-}" ]; then
    mkfifo "$dir/ready"
    "$TEST_BIN/xs_socket_server" "$dir/socket" >"$dir/ready" &
    server=$!
    read -r _ <"$dir/ready"
    export XENSTORED_PATH=$dir/socket
fi

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
expect_exit 0 xenstore-chmod $root/a/b b0
expect "$root/a = \"\"   (n0,r1)
$root/a/b = \"hello\"   (b0)
$root/a/c = \"world\"   (n0,r1)" xenstore-ls -f -p $root
expect_exit 1 xenstore-chmod $root/a/b x0

# -t removes the parents that have become empty, too
expect_exit 0 xenstore-write $root/t/u/v 1
expect_exit 0 xenstore-rm -t $root/t/u/v
expect_exit 1 xenstore-exists $root/t
expect_exit 0 xenstore-exists $root

# The watch fires once at first, then for the change. It is set when its first line is out.
mkfifo "$dir/events"
xenstore-watch -n 2 $root/w >"$dir/events" &
watcher=$!
(
    read -r first
    xenstore-write $root/w/x 1
    read -r second
    printf '%s %s' "$first" "$second" >"$dir/seen"
) <"$dir/events"
wait $watcher
expect "$root/w $root/w/x" cat "$dir/seen"

expect_exit 0 xenstore-rm $root/a
expect_exit 1 xenstore-exists $root/a/b

# xenstore-control: where Xen's other packages are not installed, its name leads nowhere.
control=
for candidate in xenstore-control /usr/lib/xen-*/bin/xenstore-control; do
    if [ -z "$control" ] && command -v "$candidate" >/dev/null; then
        control=$candidate
    fi
done
if [ -n "$control" ]; then
    expect_control() { # PATTERN ARGUMENT...: its answer has a line like this
        pattern=$1
        shift
        got=$("$control" "$@" 2>&1)
        printf '%s\n' "$got" | grep -qxE "$pattern" && return
        printf 'xenstore-control %s\n  printed: %s\n' "$*" "$got" >&2
        exit 1
    }
    expect_control OK check
    expect_control 'quota.*<domid>.*' help
    expect_control 'nodes +: +1000 .*' quota
    expect_control 'nodes +: +[0-9]+' quota 0
    expect_control OK quota set nodes 1001
    expect_control 'nodes +: +1001 .*' quota
    expect_control OK quota set nodes 1000
    expect_control OK print "a line for the log"
    expect_control OK memreport
    expect_control OK log on
    expect_control OK log off
    expect_control 'Command not supported.*' nosuch
fi

# A program of Xen's client library, if that can be built here.
if [ -f /usr/include/xenstore.h ]; then
    ${CC:-cc} -std=gnu11 -D_GNU_SOURCE -o "$dir/client" tests/e2e/xs_libxenstore.c -lxenstore || exit 1
    expect '' "$dir/client"
fi
