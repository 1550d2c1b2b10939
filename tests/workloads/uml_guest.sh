#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# A real Linux (User Mode Linux) as front end of domu vhost-user-blk: makes a file system, unpacks a tree, powers off;
# a second boot finds the tree, and fsck nothing to complain about. Before that fio verifies what it writes. Only with TEST_LONG.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "takes long: only in make check-long (TEST_LONG=1)"
requires linux.uml mkfs.ext4 fsck.ext4 sha256sum busybox
[ "$(id -u)" = 0 ] || skip "needs root: the guest's root is this system's"
module=$(find /usr/lib/uml/modules -name virtio_blk.ko | head -n 1)
[ -n "$module" ] || skip "User Mode Linux has no virtio_blk.ko here"

# What the guest runs as its first process, on a read-only view of this system. Says how it went on the console.
guest() { # NAME COMMAND...: the command sees the disk as /dev/vda and has /mnt/disk as a place to mount it
    local name=$1
    shift
    cat >"$name.init" <<END
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
{
    mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t tmpfs tmp /mnt && mkdir /mnt/disk &&
    busybox insmod $module &&
    { [ -b /dev/vda ] || mount -t devtmpfs dev /dev; } && [ -b /dev/vda ] &&
    $* && echo GUEST-OK
} >/dev/console 2>&1
echo o >/proc/sysrq-trigger
sleep 60
END
    chmod +x "$name.init"
    timeout 100 linux.uml mem=384M umid="sd$$" uml_dir="$PWD" root=none rootfstype=hostfs rootflags=/ ro init="$PWD/$name.init" \
        con=null con0=fd:0,fd:1 quiet "virtio_uml.device=$SOCKET:2" >"$name.log" 2>&1 </dev/null
    grep -q GUEST-OK "$name.log" || die "$name: $(tail -n 30 "$name.log")"
}

truncate -s 64M disk1.img
start_writable disk1.img
"$BIN/domu" vhost-user-blk "$SOCKET" 2>vhost.log &
device=$!
eventually 10 test -S "$SOCKET" || die "no socket: $(cat vhost.log)"
sum="(cd /mnt/disk && find src include -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)"
if command -v fio >/dev/null; then # a judge in the guest itself, with its O_DIRECT
    guest verify "fio --name=v --filename=/dev/vda --direct=1 --rw=randrw --bs=4k --iodepth=16 --size=16M --ioengine=libaio \
        --verify=crc32c --verify_fatal=1 --verify_state_save=0 --thread --output=/dev/null"
fi
guest write "mkfs.ext4 -q /dev/vda && mount -t ext4 /dev/vda /mnt/disk && tar -C $TOP -cf - src include | tar -C /mnt/disk -xf - &&
    sync && echo SUM \$$sum && umount /mnt/disk"
guest read "mount -t ext4 /dev/vda /mnt/disk && echo SUM \$$sum && umount /mnt/disk"
wanted=$(cd "$TOP" && find src include -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
for boot in write read; do
    [ "$(sed -n 's/^SUM \([0-9a-f]*\).*/\1/p' $boot.log | tr -d '\r')" = "${wanted%% *}" ] || die "$boot: another tree: $(grep SUM $boot.log)"
done
kill $device
reap 10000 $device
[ "$status" = 0 ] || die "exit $status: $(cat vhost.log)"
[ ! -s vhost.log ] || die "the device complains: $(cat vhost.log)"
service stop >/dev/null || die "stop"
fsck.ext4 -fn disk1.img >fsck.log 2>&1 || die "fsck: $(cat fsck.log)"
