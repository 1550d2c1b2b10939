# SPDX-License-Identifier: MIT
# An image that is written to is attached by one name: a file or its loop device, a disk or its partition. Each
# name has a cache of its own, and would not see what is written through the other.
. "$(dirname "$0")/functions.sh"

image disk1.img 1
image a.img 4
loop=$(losetup -P -f --show a.img 2>/dev/null) || skip "no loop device to be had"
cleanup_fn losetup -d "$loop"
blockdev --setrw "$loop" # a device that was read-only stays so
part=$(losetup -f --show --offset 1M --sizelimit 1M a.img) && cleanup_fn losetup -d "$part"

cleanup_fn stop_leftover # of a start that should have failed
expect 1 "Device $loop is mounted through .*/a.img, and so cannot be mounted now" service start --image disk1.img \
    --disk 'a.img,raw,xvdb,w!' --disk "$loop,raw,xvdc,r"
start_service --image disk1.img --disk a.img,raw,xvdb,r --disk "$loop,raw,xvdc,r"
expect 0 '' service stop

start_service --image disk1.img
for name in one two; do
    "$BIN/client" 1 1000000000 --no-record --domain-name "$name" >"$name.out" 2>&1 &
    named() { service domid "$name" >/dev/null 2>&1; }
    eventually 5 named || die "no domain: $(cat "$name.out")"
done
attach() { service block-attach "$@"; }
expect 0 '' attach one "$loop,raw,xvdb,w"
for access in r w 'w!'; do
    expect 1 "File .*/a.img is mounted through $loop" attach two "a.img,raw,xvdb,$access"
    expect 1 "Device $part is mounted through $loop" attach one "$part,raw,xvdc,$access"
done
expect 0 '' service block-detach one xvdb
expect 0 '' attach two a.img,raw,xvdb,w # at once
expect 1 "Device $loop is mounted through .*/a.img" attach two "$loop,raw,xvdc,r"
expect 0 '' service block-detach two xvdb

# Parts that have nothing in common go together, whatever is done to them.
other=$(losetup -f --show --offset 2M a.img) && cleanup_fn losetup -d "$other"
expect 0 '' attach one "$part,raw,xvdb,w"
expect 0 '' attach two "$other,raw,xvdb,w"
expect 1 "File .*/a.img is mounted through" attach two a.img,raw,xvdc,r

# One that grows into what is another's stays as it was.
end_part() { # BYTES: of the file, where the first part ends from now on
    python3 - "$part" "$1" <<'END'
import fcntl, struct, sys
with open(sys.argv[1], "rb") as device:
    status = bytearray(fcntl.ioctl(device, 0x4C05, bytes(232)))
    struct.pack_into("Q", status, 32, int(sys.argv[2]) - 1048576)
    fcntl.ioctl(device, 0x4C04, bytes(status))
END
}
expect 0 '' service resize "$part"
end_part 3145728
expect 1 "Device $part is mounted through $other" service resize "$part"
expect 0 '' service block-detach two xvdb
expect 0 '' service resize "$part"
expect 1 "Device $other is mounted through $part" attach two "$other,raw,xvdb,w"
end_part 2097152
expect 0 '' service resize "$part"
expect 0 '' attach two "$other,raw,xvdb,w"
for name in one two; do expect 0 '' service block-detach "$name" xvdb; done

# A loop device on a loop device is the same file's, by whatever node; and it is on a disk if the file is.
mknod node b 7 "${loop#/dev/loop}"
for below in "$loop" "$PWD/node"; do
    upper=$(losetup -f --show --offset 512K "$below") || die "no loop device on $below"
    cleanup_fn losetup -d "$upper"
    expect 0 '' attach one "$upper,raw,xvdb,w"
    for whole in "$loop" "$part" a.img; do
        expect 1 "is mounted through $upper" attach two "$whole,raw,xvdc,r"
    done
    expect 0 '' service block-detach one xvdb
    expect 0 '' attach one a.img,raw,xvdb,w
    expect 1 "Device $upper is mounted through .*/a.img" attach two "$upper,raw,xvdc,r"
    expect 0 '' service block-detach one xvdb
done

# A partition, where the kernel makes one of a loop device.
add_partition() { # DEVICE NUMBER START LENGTH
    python3 - "$@" <<'END' 2>/dev/null
import ctypes, fcntl, struct, sys
device, number, start, length = sys.argv[1], *map(int, sys.argv[2:])
partition = ctypes.create_string_buffer(struct.pack("qqi64s64s4x", start, length, number, b"", b""))
fcntl.ioctl(open(device, "rb"), 0x1269, struct.pack("iii4xQ", 1, 0, len(partition) - 1, ctypes.addressof(partition)))
END
}
# NUMBER: its node, in this directory: nobody makes one in a container. A file system that
# is mounted with nodev, as /tmp may be, has the node, but nobody can open it.
partition() {
    local numbers
    IFS=: read -ra numbers <"/sys/block/${loop#/dev/}/${loop#/dev/}p$1/dev" && mknod "p$1" b "${numbers[@]}" &&
        head -c 1 "p$1" >/dev/null 2>&1
}
add_partition "$loop" 1 1048576 1048576 && add_partition "$loop" 2 2097152 1048576 && partition 1 && partition 2 || {
    echo "no partitions of a loop device here"
    exit 0
}
expect 0 '' attach one "$PWD/p1,raw,xvdb,w"
expect 0 '' attach two "$PWD/p2,raw,xvdb,w"
for whole in "$loop" "$part" a.img; do
    expect 1 "is mounted through .*/p1" attach one "$whole,raw,xvdc,r"
done
upper=$(losetup -f --show p1) && cleanup_fn losetup -d "$upper"
expect 1 "Device $upper is mounted through .*/p1" attach one "$upper,raw,xvdc,r"
for name in one two; do expect 0 '' service block-detach "$name" xvdb; done
expect 0 '' attach one "$upper,raw,xvdb,w"
for whole in "$loop" "$part" a.img "$PWD/p1"; do
    expect 1 "is mounted through $upper" attach two "$whole,raw,xvdc,r"
done
