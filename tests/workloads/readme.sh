#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's commands for real work, as they stand there, and what they promise: Dom0 is killed and the database
# goes on.
. "$(dirname "$0")/functions.sh"
requires nbdcopy sqlite3
requires_mounts
service --help | grep -q -- '--disk SPEC' || skip "this service has no writable disks"
[ -e "$BIN/nbdkit-splitdom-plugin.so" ] || skip "needs nbdkit-plugin-dev when the programs are built"

sed -n '/^## Use it for real work/,/^## Where/p' "$TOP/README.md" | sed -n '/^```$/,/^```$/p' | grep -v '^```' |
    sed "s,\./bin/,$BIN/,g; s,/tmp/s\b,$SOCKET,g" >commands
[ "$(wc -l <commands)" = 6 ] || die "not six commands: $(cat commands)"
cleanup_fn stop_leftover
clean_mounts() {
    mountpoint -q m && umount m
    [ -z "${L:-}" ] || losetup -d "$L"
    fusermount3 -u f 2>/dev/null
}
cleanup_fn clean_mounts
number=0
not_running() { ! service status >/dev/null 2>&1; }
head -n 5 commands >life
while IFS= read -r line; do
    number=$((number + 1))
    [ $number != 4 ] || eventually 10 test -s f/disk || skip "nbdfuse does not run here"
    eval "$line" || die "failed: $line"
done <life
kill -9 "$(dom0_pid)"
eventually 10 not_running || die "Dom0 does not die"
eval "$(sed -n '1s/.*&& //p' commands)" || die "the service does not start again"
sqlite3 m/t.db 'insert into t values(2)' || die "insert after the restart"
[ "$(sqlite3 m/t.db 'pragma integrity_check; select * from t')" = $'ok\n1\n2' ] || die "the database"
umount m || die "umount"
fsck.ext4 -fn "$L" >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
mount "$L" m || die "mount"
eval "$(sed -n 6p commands)" >end.log 2>&1 || die "the end: $(cat end.log)"
mountpoint -q m && die "still mounted: $(cat end.log)"
losetup "$L" >/dev/null 2>&1 && die "$L is there still"
L=
