#!/bin/bash
# SPDX-License-Identifier: MIT
# A disk as an NBD export, read by libnbd's tools, qemu-img, fio and through nbdkit's filters.
. "$(dirname "$0")/functions.sh"
requires nbdcopy jq

image disk1.img 16
start_service --image disk1.img
expect 2 "Dom0's decision" "$BIN/domu" nbd "$SOCKET" --disk vdev=xvda,target=disk1.img
expect 1 'xvda is read-only' "$BIN/domu" nbd "$SOCKET" --disk xvda,access=w
start_nbd

nbdinfo --json "$URI" >info.json || die "nbdinfo"
[ "$(jq '.exports[0]."export-size"' info.json)" = $((16 << 20)) ] || die "another size: $(cat info.json)"
[ "$(jq '.exports[0].can_multi_conn' info.json)" = true ] || die "one connection alone: $(cat info.json)"
nbdinfo --map "$URI" >map || die "nbdinfo --map"
[ "$(nbdinfo --json --list "$URI" | jq -r '.exports[]."export-name"')" = xvda ] || die "other exports"
nbdinfo "nbd+unix:///xvdb?socket=$SOCKET" >/dev/null 2>&1 && die "an export that is not there"
nbdcopy "$URI" - | cmp - disk1.img || die "nbdcopy read something else"
nbdcopy --connections=4 --request-size=1048576 "$URI" copy.img && cmp copy.img disk1.img || die "nbdcopy, 4 connections"

if command -v qemu-img >/dev/null; then
    qemu-img compare -q -f raw -F raw "$URI" disk1.img || die "qemu-img compare"
fi
if command -v fio >/dev/null && fio --enghelp 2>/dev/null | grep -qw nbd; then
    fio --name=r --ioengine=nbd --uri="$URI" --rw=randread --bs=4k --iodepth=8 --size=16M >fio.log || die "fio: $(cat fio.log)"
fi
end_nbd
[ "$status" = 0 ] || die "domu nbd ended with $status: $(cat nbd.log)"

# Several rings, over which nbdkit's threads are spread.
expect 2 'queues' "$BIN/domu" nbd "$SOCKET" --queues 9
start_nbd --queues 2
nbdcopy --connections=4 --request-size=65536 "$URI" - | cmp - disk1.img || die "two rings: nbdcopy read something else"
end_nbd
[ "$status" = 0 ] || die "domu nbd with two rings ended with $status: $(cat nbd.log)"

if command -v xenstore-ls >/dev/null && [ "$(nproc)" -ge 2 ]; then
    start_nbd --queues 2 --filter=delay rdelay=100ms
    nbdcopy --connections=1 --requests=1 "$URI" null: 2>/dev/null & # its disk is open as long
    has_two_rings() { (eval "$(service env)" && xenstore-ls -f /local/domain) | grep -q '/multi-queue-num-queues = "2"'; }
    eventually 20 has_two_rings || die "not two rings"
    end_nbd
fi

# The largest depth has the memory that a domain can have.
start_nbd --depth 512
nbdcopy --connections=1 --requests=512 --request-size=32768 "$URI" - | cmp - disk1.img || die "depth 512: nbdcopy read something else"
end_nbd

# A thread for each request that the disk takes at a time, and not nbdkit's 16.
start_nbd --filter=delay rdelay=100ms
nbdcopy --connections=1 --requests=1 "$URI" null: 2>/dev/null &
has_threads() { [ "$(find "/proc/$(tr -d ' ' <"/proc/$NBD/task/$NBD/children")/task" -maxdepth 1 -mindepth 1 2>/dev/null | wc -l)" -ge 64 ]; }
eventually 20 has_threads || die "fewer threads than requests"
end_nbd

# What is asked into the cache is in Dom0's, also where that is much at a time.
service stop >/dev/null && service start --image disk1.img || die "restart"
start_nbd --filter=readahead
nbdcopy --connections=1 --requests=1 --request-size=262144 "$URI" - | cmp - disk1.img || die "readahead: nbdcopy read something else"
cache_is_used() { [ "$(service status --json | jq .cache.used_sectors)" -gt 0 ]; }
eventually 10 cache_is_used || die "nothing in Dom0's cache: $(cat nbd.log)"
end_nbd

# A filter, and its parameters; the disk under it is not written.
sum=$(md5sum <disk1.img)
start_nbd --filter=cow --filter=stats statsfile="$PWD/stats"
dd if=/dev/zero bs=64k count=4 status=none | nbdcopy - "$URI" 2>/dev/null || die "nbdcopy onto cow"
nbdcopy "$URI" - | head -c 262144 | cmp - <(head -c 262144 /dev/zero) || die "cow does not hold what was written"
end_nbd
[ "$status" = 0 ] || die "domu nbd with filters ended with $status: $(cat nbd.log)"
grep -qE '^read: [1-9][0-9]* ops' stats && ! grep -q '^write' stats || die "below cow: not reads alone: $(cat stats)"
[ "$(md5sum <disk1.img)" = "$sum" ] || die "the image changed"

# As many disks as an export can have share that memory, too.
service stop >/dev/null || die "stop"
disks=() exports=()
for letter in {a..p}; do
    disks+=(--disk "$PWD/disk1.img,raw,xvd$letter,r")
    exports+=(--disk "xvd$letter")
done
start_service "${disks[@]}"
start_nbd "${exports[@]}"
[ "$(nbdinfo --json --list "$URI" | jq '.exports | length')" = 16 ] || die "not sixteen exports"
nbdcopy "nbd+unix:///xvdp?socket=$SOCKET" - | cmp - disk1.img || die "the last disk: nbdcopy read something else"
end_nbd
