#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# A guest of QEMU (TCG) sees its disk grow and shrink while it runs, reads and writes what is new, and hears of a size
# that changed while its device was away. Only with TEST_LONG. GUEST_ROOT: as for qemu_guest.sh.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires_guest

# Tells each size, and writes a sector at the end of it.
make_initrd <<'END'
was=
while ! read -t 0 line; do
    is=$(cat /sys/block/vda/size 2>/dev/null)
    [ "$is" = "$was" ] && continue
    was=$is
    yes "size $is" | head -c 512 >/sector
    dd if=/sector of=/dev/vda bs=512 seek=$((is - 1)) oflag=direct conv=notrunc 2>/dev/null && echo SIZE $is written
done
poweroff -f
END

start_device() {
    "$BIN/domu" vhost-user-blk "$SOCKET" 2>>vhost.log &
    device=$!
}
told() { grep -q "SIZE $1 written" guest.log || ! kill -0 $guest 2>/dev/null; }
ended() { ! kill -0 $guest 2>/dev/null; }
# resized SECTORS: the guest has heard of it, and its last sector is in the image
resized() {
    eventually 100 told "$1" || die "the guest does not hear of $1 sectors: $(tail -n 5 guest.log)"
    ended && die "the guest: $(tail -n 30 guest.log)"
    cmp -s <(yes "size $1" | head -c 512) <(tail -c 512 disk1.img) || die "the last of $1 sectors is not what was written"
}

truncate -s 64M disk1.img
start_writable disk1.img
start_device
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
mkfifo input
timeout 280 qemu-system-x86_64 -accel tcg -m 256M -nographic -nodefaults -serial stdio -no-reboot \
    -object memory-backend-memfd,id=m,size=256M,share=on -numa node,memdev=m -chardev socket,id=c,path="$SOCKET",reconnect=1 \
    -device vhost-user-blk-pci,chardev=c,num-queues=1 -kernel "$kernel" -initrd initrd \
    -append "console=ttyS0 quiet panic=-1" >guest.log 2>&1 <input &
guest=$!
exec 7>input
resized 131072
for size in 80M 48M; do
    truncate -s $size disk1.img
    expect 0 '' service resize
    resized $((${size%M} * 2048))
done
kill -9 $device
wait $device 2>/dev/null
truncate -s 96M disk1.img
expect 0 '' service resize
start_device
resized $((96 * 2048))
echo >&7
eventually 60 ended || die "the guest does not end: $(tail -n 5 guest.log)"
kill $device
reap 10000 $device
[ "$status" = 0 ] || die "exit $status: $(cat vhost.log)"
[ ! -s vhost.log ] || die "the device complains: $(cat vhost.log)"
