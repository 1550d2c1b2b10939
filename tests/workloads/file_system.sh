#!/bin/bash
# SPDX-License-Identifier: MIT
# ext4 on a disk (NBD, nbdfuse, loop): a tree is unpacked, synced, compared after a remount; a database lives on it;
# fsck finds nothing.
. "$(dirname "$0")/functions.sh"
requires nbdcopy sqlite3
requires_mounts

truncate -s 128M disk1.img
start_writable disk1.img
start_nbd
show_disk
mkfs.ext4 -q "$LOOP" || die "mkfs"
mount_disk || skip "mount is not permitted here"
tar -C "$TOP" -cf - src include tests docs | tar -C mnt -xf - || die "tar"
(cd mnt && find . -type f -print0 | sort -z | xargs -0 sha256sum) >sums || die "sums"
[ "$(wc -l <sums)" -gt 300 ] || die "a small tree: $(wc -l <sums)"
sync -f mnt
sqlite3 mnt/t.db 'pragma synchronous=full; create table t(n integer primary key, x blob);
    with recursive c(n) as (select 1 union all select n + 1 from c where n < 5000) insert into t select n, randomblob(200) from c;' || die "sqlite3"
umount mnt || die "umount"
mount_disk || die "mount again"
(cd mnt && sha256sum --quiet -c) <sums || die "files changed"
[ "$(sqlite3 mnt/t.db 'pragma integrity_check; select count(*) from t')" = $'ok\n5000' ] || die "the database"
umount mnt || die "umount"
fsck.ext4 -fn "$LOOP" >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
hide_disk
end_nbd
fsck.ext4 -fn disk1.img >fsck.log 2>&1 || die "fsck of the image: $(cat fsck.log)"
