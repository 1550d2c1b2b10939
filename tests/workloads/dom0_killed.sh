#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
# A database commits while Dom0 is killed again and again, with reconnect: each transaction that was committed is
# there, in order, and the database is sound. TEST_LONG: a hundred times.
. "$(dirname "$0")/functions.sh"
requires nbdcopy sqlite3
requires_mounts
[ -z "${TEST_LONG:-}" ] && kills=3 || kills=100

truncate -s 64M disk1.img
start_writable disk1.img
start_nbd --reconnect
show_disk
mkfs.ext4 -q "$LOOP" || die "mkfs"
mount_disk || skip "mount is not permitted here"
sqlite3 mnt/t.db 'pragma journal_mode=delete; create table t(n integer primary key)' >/dev/null || die "sqlite3"

commit_until_stop() {
    local n=1
    while [ ! -e stop ] && sqlite3 mnt/t.db "pragma synchronous=full; insert into t values($n)" 2>>sqlite.log; do
        echo $n >>committed
        n=$((n + 1))
    done
}
commits_exceed() { [ "$(wc -l <committed)" -gt "$1" ]; }
not_running() { ! service status >/dev/null 2>&1; }

touch committed
commit_until_stop &
writer=$!
for i in $(seq $kills); do
    eventually 30 commits_exceed "$(wc -l <committed)" || die "no commits before kill $i: $(cat sqlite.log nbd.log)"
    kill -9 "$(dom0_pid)"
    eventually 10 not_running || die "Dom0 does not die"
    start_service --disk "$PWD/disk1.img,raw,xvda,w"
done
eventually 30 commits_exceed "$(wc -l <committed)" || die "no commits after the last kill: $(cat sqlite.log nbd.log)"
touch stop
wait $writer
[ ! -s sqlite.log ] || die "sqlite3 complains: $(cat sqlite.log)"
[ "$(sqlite3 mnt/t.db 'pragma integrity_check')" = ok ] || die "the database is broken"
sqlite3 mnt/t.db 'select n from t order by n' >found
head -n "$(wc -l <committed)" found | cmp - committed || die "committed transactions are missing"
umount mnt || die "umount"
fsck.ext4 -fn "$LOOP" >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
hide_disk
end_nbd
