# SPDX-License-Identifier: MIT
# functions: what the scripts of this stage share, beside those of the end-to-end scripts: software that knows
# nothing of splitdom works on its disks. Each has foreign judges, and is skipped where they are not installed.
# shellcheck shell=bash
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/functions.sh"

# A socket's path is short, this directory's may not be.
SOCKET=${SPLITDOM_RUNDIR%/run}/s
# shellcheck disable=SC2034 # for the scripts
URI="nbd+unix:///?socket=$SOCKET"

# start_nbd ARGUMENT...: domu nbd in the background, until it answers; ended with the script.
start_nbd() {
    requires nbdkit nbdinfo
    [ -e "$BIN/nbdkit-splitdom-plugin.so" ] || skip "needs nbdkit-plugin-dev when the programs are built"
    "$BIN/domu" nbd "$SOCKET" "$@" 2>nbd.log &
    NBD=$!
    eventually 10 serves_or_ended || die "domu nbd does not serve: $(cat nbd.log)"
    kill -0 $NBD 2>/dev/null || die "domu nbd ended: $(cat nbd.log)"
}
serves_or_ended() { nbdinfo --size "$URI" >/dev/null 2>&1 || ! kill -0 $NBD 2>/dev/null; }

# end_nbd: in order; sets status
end_nbd() {
    [ -n "${NBD:-}" ] || return 0
    kill $NBD 2>/dev/null
    reap 10000 $NBD
    NBD=
    [ ! -e "$SOCKET" ] || die "domu nbd has left its socket"
}

# is_writable: does this service take writes at all, and does the plugin offer them?
is_writable() { [ "$(nbdinfo --json "$URI" | jq -r '.exports[0].is_read_only')" = false ]; }

# start_writable FILE OPTION...: a service whose domains write that image.
start_writable() {
    local file=$1
    shift
    service --help | grep -q -- '--disk SPEC' || skip "this service has no writable disks"
    start_service --disk "$PWD/$file,raw,xvda,w" "$@"
}

# mount_disk: the export as a block device with a file system on it, at ./mnt; needs root. Unmounted by unmount_disk,
# at the latest with the script.
show_disk() { # through nbdfuse, as a loop device
    mkdir -p fuse mnt
    nbdfuse fuse/disk "$URI" 2>fuse.log &
    FUSE=$!
    cleanup_fn hide_disk
    eventually 10 test -s fuse/disk || skip "nbdfuse does not run here: $(tail -n 1 fuse.log)"
    LOOP=$(losetup --find --show fuse/disk) || skip "no loop device here"
    blockdev --setrw "$LOOP" # a device that was read-only stays so
}
mount_disk() { mount "$LOOP" mnt; }
hide_disk() {
    mountpoint -q mnt && umount mnt
    [ -z "${LOOP:-}" ] || losetup -d "$LOOP"
    LOOP=
    [ -n "${FUSE:-}" ] || return 0
    eventually 10 unmount_fuse || kill "$FUSE" # the loop device may have its file open for a moment
    wait "$FUSE" 2>/dev/null
    FUSE=
}
unmount_fuse() { fusermount3 -u fuse 2>/dev/null || umount fuse 2>/dev/null || ! grep -qF " $PWD/fuse " /proc/mounts; }
requires_mounts() {
    requires nbdfuse fusermount3 losetup mkfs.ext4 fsck.ext4
    [ "$(id -u)" = 0 ] || skip "needs root, for mount"
    [ -r /dev/fuse ] && [ -e /dev/loop-control ] || skip "needs /dev/fuse and loop devices"
}

# Network namespaces, as the user or as root. namespace NAME: makes one, which lives as long as the script; in_ns NAME
# COMMAND...: in there.
declare -A NETNS
namespace() {
    if [ -z "${UNSHARE:-}" ]; then
        [ -r /dev/net/tun ] && [ -w /dev/net/tun ] || skip "needs /dev/net/tun"
        if unshare -n true 2>/dev/null; then UNSHARE=-n; else UNSHARE=-rn; fi
        unshare "$UNSHARE" true 2>/dev/null || skip "no network namespaces are permitted here"
    fi
    unshare "$UNSHARE" sleep infinity &
    NETNS[$1]=$!
    eventually 10 has_own_net "${NETNS[$1]}" || die "no namespace $1"
    in_ns "$1" ip link set lo up || die "no loopback interface in $1"
}
has_own_net() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
in_ns() { (in_ns_exec "$@"); }
# The same in the place of this shell, for the background: then $! is the command's process.
in_ns_exec() {
    local user=()
    [ "$UNSHARE" = -n ] || user=(-U --preserve-credentials)
    exec nsenter -t "${NETNS[$1]}" -n ${user[@]+"${user[@]}"} "${@:2}"
}

# tap NAMESPACE IFNAME OPTION...: an interface of a new domain in that namespace, called IFNAME; TAP is its process.
tap() {
    in_ns_exec "$1" "$BIN/domu" tap "$2" "${@:3}" 2>"$2.log" &
    TAP=$!
    eventually 10 has_link_or_ended "$1" "$2" || die "no $2 in $1: $(cat "$2.log")"
    if ! kill -0 $TAP 2>/dev/null; then
        ! grep -q "no tap devices" "$2.log" || skip "no tap devices here"
        die "domu tap ended: $(cat "$2.log")"
    fi
}
has_link_or_ended() {
    in_ns "$1" ip -o link show "$2" 2>/dev/null | grep -q LOWER_UP || ! kill -0 $TAP 2>/dev/null
}

# A guest of QEMU: Debian's cloud kernel (the package linux-image-cloud-amd64, installed, or unpacked in GUEST_ROOT), and
# a root of busybox and the modules of a virtio disk. requires_guest TOOL... sets kernel and modules.
requires_guest() {
    requires qemu-system-x86_64 busybox "$@"
    kernel=$(find "${GUEST_ROOT:-}/boot" -name 'vmlinuz-*-cloud-amd64' 2>/dev/null | sort | tail -n 1)
    [ -n "$kernel" ] || skip "needs linux-image-cloud-amd64, or GUEST_ROOT"
    modules=${GUEST_ROOT:-}/lib/modules/${kernel##*/vmlinuz-}/kernel/drivers
    ldd "$(command -v busybox)" >/dev/null 2>&1 && skip "needs a static busybox (busybox-static)"
}
# make_initrd: of root, whose init begins here and goes on by the standard input
make_initrd() {
    mkdir -p root/{bin,dev,proc,sys,m}
    cp "$(command -v busybox)" root/bin/
    cp "$modules"/virtio/virtio{,_ring,_pci,_pci_modern_dev,_pci_legacy_dev}.ko "$modules/block/virtio_blk.ko" root/m/ ||
        skip "this kernel's modules are elsewhere"
    cat - >root/init.rest
    cat - root/init.rest >root/init <<'END'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
for m in virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk; do insmod /m/$m.ko; done
END
    chmod +x root/init
    (cd root && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
}
