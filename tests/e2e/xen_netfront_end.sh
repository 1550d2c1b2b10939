# SPDX-License-Identifier: MIT
# Two network front ends written with Xen's own headers and macros exchange frames over a bridge.
. "$(dirname "$0")/functions.sh"

front=$(dirname "$(dirname "$TEST_BIN")")/tests/abi/xen_netfront
[ -x "$front" ] || skip "needs xen_netfront, which needs libxen-dev"

image disk1.img 1
start_service --image disk1.img --vif bridge=xenbr0
for ring_start in 0 4294967290 2147483640; do
    timeout -k 2 $((30 * slack)) "$front" "$SPLITDOM_RUNDIR/default/dom0.sock" 500 $ring_start >out 2>err ||
        die "xen_netfront, rings from $ring_start: $(cat err)"
    grep -q '^500 frames went and came' out || die "xen_netfront: $(cat out)"
done
eventually 5 domains_are 0 || die "domains are left"
service stop >/dev/null || die "stop"
