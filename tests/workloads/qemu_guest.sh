#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# QEMU (TCG) with Debian's cloud kernel as front end of domu vhost-user-blk, two queues: makes a file system, writes a
# tree and reads it again without its cache, discards, powers off; fsck finds nothing. Only with TEST_LONG. GUEST_ROOT:
# where the package linux-image-cloud-amd64 is unpacked, if it is not installed.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires_guest mkfs.ext4 fsck.ext4
ram=256M

mkdir -p root/{bin,mnt}
for file in $(ldd "$(command -v mkfs.ext4)" | grep -oE '/[^ ]+'); do
    mkdir -p "root$(dirname "$file")"
    cp -L "$file" "root$file"
done
cp "$(command -v mkfs.ext4)" root/bin/
make_initrd <<'END'
sums() { (cd /mnt && find . -type f | sort | xargs sha256sum | sha256sum); }
sleep 1
echo QUEUES $(ls /sys/block/vda/mq | wc -l) $(cat /sys/block/vda/queue/write_cache) $(cat /sys/block/vda/queue/discard_max_bytes)
mkfs.ext4 -q /dev/vda && mount -t ext4 -o discard /dev/vda /mnt && cp -r /bin/busybox /m /mnt/ && sync && a=$(sums) &&
    echo 3 >/proc/sys/vm/drop_caches && [ "$(sums)" = "$a" ] && rm -r /mnt/m && sync && umount /mnt && echo GUEST-OK
poweroff -f
END

truncate -s 64M disk1.img
start_writable disk1.img
"$BIN/domu" vhost-user-blk "$SOCKET" 2>vhost.log &
device=$!
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
timeout 200 qemu-system-x86_64 -accel tcg -smp 2 -m $ram -nographic -nodefaults -serial stdio -no-reboot \
    -object memory-backend-memfd,id=m,size=$ram,share=on -numa node,memdev=m -chardev socket,id=c,path="$SOCKET" \
    -device vhost-user-blk-pci,chardev=c,num-queues=2 -kernel "$kernel" -initrd initrd \
    -append "console=ttyS0 quiet panic=-1" >guest.log 2>&1 </dev/null
grep -q GUEST-OK guest.log || die "the guest: $(tail -n 30 guest.log)"
grep -qE 'QUEUES 2 write back [1-9]' guest.log || die "other features: $(grep QUEUES guest.log)"
kill $device
reap 10000 $device
[ "$status" = 0 ] || die "exit $status: $(cat vhost.log)"
[ ! -s vhost.log ] || die "the device complains: $(cat vhost.log)"
service stop >/dev/null || die "stop"
fsck.ext4 -fn disk1.img >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
