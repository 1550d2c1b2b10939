# SPDX-License-Identifier: MIT
# A Linux that knows nothing of us as the program: Debian's cloud kernel in QEMU at TDF 4, its seconds by its HPET, since
# QEMU's TSC is the machine's. GUEST_ROOT: where the package linux-image-cloud-amd64 is unpacked, if it is not installed.
# timeout: 300
. "$(dirname "$0")/functions.sh"
. "$TOP/tests/waits/guest.sh"

[ -x "$BIN/domu-shim" ] || skip "programs run in domains on x86-64 only"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires qemu-system-x86_64 busybox
kernel=$(find "${GUEST_ROOT:-}/boot" -name 'vmlinuz-*-cloud-amd64' 2>/dev/null | sort | tail -n 1)
[ -n "$kernel" ] || skip "needs linux-image-cloud-amd64, or GUEST_ROOT"
ldd "$(command -v busybox)" >/dev/null 2>&1 && skip "needs a static busybox (busybox-static)"
image disk1.img 4
start_service --idle-timeout 0
seconds=${SECONDS_IN_GUEST:-20}

mkdir -p root/{bin,sbin,proc}
cp "$(command -v busybox)" root/bin/
for name in sh mount sleep; do ln -s busybox root/bin/$name; done
ln -s ../bin/busybox root/sbin/poweroff
guest_init root/init "$seconds"
(cd root && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >initrd
exec 3< <(timeout -k 2 $((250 * slack)) "$BIN/domu" run --tdf 4 -- qemu-system-x86_64 -machine q35 -accel tcg -m 256 -nographic \
    -nodefaults -serial stdio -no-reboot -kernel "$kernel" -initrd initrd \
    -append 'console=ttyS0 tsc=unstable clocksource=hpet quiet panic=1' </dev/null 2>&1)
judge_guest 4 "$seconds" <&3
