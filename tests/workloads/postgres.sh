#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# PostgreSQL on ext4 on a disk: initdb, pgbench for 30 s, a restart that finds all; fsck clean. Only with TEST_LONG.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires nbdcopy setpriv
requires_mounts
postgres=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
[ -n "$postgres" ] && id postgres >/dev/null 2>&1 || skip "needs postgresql"
as_postgres() { setpriv --reuid postgres --regid postgres --clear-groups env HOME="$PWD/mnt" PGHOST="$PWD/mnt" PGDATABASE=postgres "$@"; }
control() { as_postgres "$postgres/pg_ctl" -D mnt/db -w -l mnt/log -o "-c listen_addresses= -c unix_socket_directories=$PWD/mnt" "$@" >control.log 2>&1; }

truncate -s 512M disk1.img
start_writable disk1.img
start_nbd
show_disk
mkfs.ext4 -q "$LOOP" || die "mkfs"
mount_disk || skip "mount is not permitted here"
chown postgres mnt && chmod 755 . && chmod 700 mnt
as_postgres "$postgres/initdb" -D mnt/db >init.log 2>&1 || die "initdb: $(tail -n 5 init.log)"
control start || die "start: $(cat control.log mnt/log)"
as_postgres "$postgres/pgbench" -i -q -s 5 >bench.log 2>&1 || die "pgbench -i: $(tail -n 5 bench.log)"
as_postgres "$postgres/pgbench" -c 4 -T 30 >bench.log 2>&1 || die "pgbench: $(tail -n 5 bench.log)"
done_count=$(as_postgres "$postgres/psql" -Atc 'select count(*) from pgbench_history') || die "psql"
control -m fast restart || die "restart: $(cat control.log)"
[ "$(as_postgres "$postgres/psql" -Atc 'select count(*) from pgbench_history')" = "$done_count" ] || die "transactions are missing"
[ "$(as_postgres "$postgres/psql" -Atc 'select sum(abalance) from pgbench_accounts')" = \
    "$(as_postgres "$postgres/psql" -Atc 'select sum(delta) from pgbench_history')" ] || die "the balances do not add up"
control -m fast stop || die "stop: $(cat control.log)"
umount mnt || die "umount"
fsck.ext4 -fn "$LOOP" >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
hide_disk
end_nbd
