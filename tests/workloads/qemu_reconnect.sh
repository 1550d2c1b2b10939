#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
# A guest of QEMU (TCG) writes and reads a disk while its device, domu vhost-user-blk, is killed with -9 and started
# again, several times: QEMU connects again, and no request of the guest is lost or done twice. Only with TEST_LONG.
# GUEST_ROOT: where the package linux-image-cloud-amd64 is unpacked, if it is not installed.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires_guest
kills=3

# Eight writers at once, each of a part of its own, then as many readers, past its cache; tells each round.
make_initrd <<'END'
sleep 1
echo 1 >/proc/sys/kernel/panic_on_oops
wanted() { yes "round $1 part $2" | head -c 131072; }
round=0
while ! read -t 0 line; do
    round=$((round + 1))
    for part in 0 1 2 3 4 5 6 7; do
        wanted $round $part | dd of=/dev/vda bs=4k seek=$((part * 32)) oflag=direct iflag=fullblock conv=notrunc 2>/dev/null &
    done
    wait
    for part in 0 1 2 3 4 5 6 7; do
        (dd if=/dev/vda bs=4k skip=$((part * 32)) count=32 iflag=direct 2>/dev/null | sha256sum >/$part.is
        wanted $round $part | sha256sum | cmp -s - /$part.is || echo GUEST-BAD $round $part) &
    done
    wait
    echo ROUND $round
done
echo GUEST-OK $round
poweroff -f
END

start_device() {
    "$BIN/domu" vhost-user-blk "$SOCKET" 2>>vhost.log &
    device=$!
}
device_requests() { status_number 'total":{"requests'; }
rounds() { grep -c '^ROUND' guest.log; }
more_rounds() { [ "$(rounds)" -gt "$1" ] || ! kill -0 $guest 2>/dev/null; }
ended() { ! kill -0 $guest 2>/dev/null; }

truncate -s 64M disk1.img
start_writable disk1.img --disk-scale 20 # slow: there is always something in flight
start_device
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
mkfifo input
timeout 500 qemu-system-x86_64 -accel tcg -smp 2 -m 256M -nographic -nodefaults -serial stdio -no-reboot \
    -object memory-backend-memfd,id=m,size=256M,share=on -numa node,memdev=m -chardev socket,id=c,path="$SOCKET",reconnect=1 \
    -device vhost-user-blk-pci,chardev=c,num-queues=2 -kernel "$kernel" -initrd initrd \
    -append "console=ttyS0 quiet panic=-1" >guest.log 2>&1 <input &
guest=$!
exec 7>input
for ((i = 0; i < kills; i++)); do
    before=$(rounds)
    eventually 200 more_rounds "$before" || die "the guest hangs after $i kills: $(tail -n 5 guest.log)"
    ended && die "the guest: $(tail -n 30 guest.log)"
    before=$(device_requests)
    is_at_work() { [ "$(device_requests)" -gt $((before + 20)) ]; }
    eventually 60 is_at_work || die "the guest asks for nothing"
    kill -9 $device
    wait $device 2>/dev/null
    start_device
done
before=$(rounds)
eventually 200 more_rounds $((before + 1)) || die "the guest hangs after the last kill: $(tail -n 5 guest.log)"
echo >&7
eventually 60 ended || die "the guest does not end: $(tail -n 5 guest.log)"
grep -q GUEST-OK guest.log || die "the guest: $(tail -n 30 guest.log)"
grep -q GUEST-BAD guest.log && die "the guest has read other bytes: $(grep GUEST-BAD guest.log)"
grep -qE 'is not a head|I/O error|BUG' guest.log && die "the guest complains: $(grep -E 'head|error|BUG' guest.log | head -n 5)"
kill $device
reap 10000 $device
[ "$status" = 0 ] || die "exit $status: $(cat vhost.log)"
[ ! -s vhost.log ] || die "the device complains: $(cat vhost.log)"
