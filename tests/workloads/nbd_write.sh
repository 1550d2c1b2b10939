#!/bin/bash
# SPDX-License-Identifier: MIT
# A writable disk as an NBD export: copied to and from, written by qemu-img, qemu-io and fio, through filters that
# check; and what was flushed is in the image.
. "$(dirname "$0")/functions.sh"
requires nbdcopy jq qemu-img qemu-io fio

truncate -s 64M disk1.img
image data.img 64
start_writable disk1.img
start_nbd
is_writable || die "a read-only export: $(nbdinfo "$URI")"
nbdinfo --json "$URI" >info.json
for what in can_flush can_fua can_trim can_zero can_multi_conn; do
    [ "$(jq ".exports[0].$what" info.json)" = true ] || die "no $what: $(cat info.json)"
done

nbdcopy --flush data.img "$URI" || die "nbdcopy to the disk"
cmp data.img disk1.img || die "the image holds something else"
nbdcopy "$URI" - | cmp - data.img || die "nbdcopy from the disk"

qemu-img create -q -f qcow2 a.qcow2 64M
qemu-io -f qcow2 -c 'write -P 0x11 0 5M' -c 'write -P 0x22 33M 3M' a.qcow2 >/dev/null || die "qemu-io, qcow2"
qemu-img convert -n -f qcow2 -O raw a.qcow2 "$URI" || die "qemu-img convert"
qemu-img compare -q -f qcow2 -F raw a.qcow2 "$URI" || die "qemu-img compare"
qemu-io -f raw "$URI" -c 'write -P 0xa5 1M 2M' -c flush -c 'discard 1M 1M' -c 'read -P 0xa5 2M 1M' \
    -c 'write -z 2M 64k' -c 'read -P 0 2M 64k' -c 'write -f -P 0x5a 2M 512' -c 'read -P 0x5a 2M 512' >io.log || die "qemu-io"
! grep -q 'Pattern verification failed' io.log || die "qemu-io read something else: $(cat io.log)"

fio_runs() { timeout 60 fio --name=v --rw=randrw --bs=4k --iodepth=8 --size=16M --verify=crc32c --verify_fatal=1 --fsync=64 "$@" >fio.log 2>&1; }
if fio --enghelp 2>/dev/null | grep -qw nbd; then
    fio_runs --ioengine=nbd --uri="$URI" || die "fio by nbd: $(tail -n 20 fio.log)"
fi
end_nbd
[ "$status" = 0 ] || die "domu nbd ended with $status: $(cat nbd.log)"

# Read-only although the disk is not.
start_nbd --disk vdev=xvda,access=r
! is_writable || die "access=r: a writable export"
nbdcopy "$URI" - | cmp - disk1.img || die "nbdcopy from a read-only export"
end_nbd

# Filters that know what must be: what is written is what was there before; a delay costs time and nothing else.
cp disk1.img before.img
start_nbd --filter=checkwrite
nbdcopy before.img "$URI" || die "checkwrite: the disk holds something else"
printf 'x' | dd of=before.img bs=1 seek=1000000 conv=notrunc status=none
nbdcopy before.img "$URI" 2>/dev/null && die "checkwrite sees no difference"
end_nbd
start_nbd --filter=delay --filter=error rdelay=1ms error-rate=0
nbdcopy "$URI" - | cmp - disk1.img || die "delay, error"
end_nbd
start_nbd --filter=error error-pwrite=EIO error-pwrite-rate=100%
qemu-io -f raw "$URI" -c 'write -P 1 0 4k' >io.log 2>&1 && die "error: the write did not fail: $(cat io.log)"
nbdcopy "$URI" - | cmp - disk1.img || die "error: something was written, or reads fail"
end_nbd
start_nbd --filter=delay rdelay=300ms
before=$(date +%s%N)
qemu-io -r -f raw "$URI" -c 'read 0 4k' >io.log || die "delay: $(cat io.log)"
[ $(($(date +%s%N) - before)) -ge 300000000 ] || die "delay: the read took less than the filter's delay"
end_nbd
eventually 5 domains_are 0 || die "the domain of domu nbd goes on"

if [ -e "$BIN/fio-splitdom.so" ]; then
    fio_runs --ioengine=external:"$BIN/fio-splitdom.so" || die "fio by our engine: $(tail -n 20 fio.log)"
    fio --name=t --ioengine=external:"$BIN/fio-splitdom.so" --rw=trim --bs=1M --size=8M --iodepth=4 >fio.log 2>&1 ||
        die "fio trims: $(tail -n 20 fio.log)"
fi
