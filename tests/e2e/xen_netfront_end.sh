# SPDX-License-Identifier: MIT
# Two network front ends written with Xen's own headers and macros exchange frames over a bridge. One is as Linux's, the other
# one as Linux's, Mini-OS's, iPXE's, OpenBSD's, FreeBSD's and Windows' are: each with what it says that it takes, its order of
# states, and its way to close the interface and open it again, which it does half-way.
. "$(dirname "$0")/functions.sh"

front=$(dirname "$(dirname "$TEST_BIN")")/tests/abi/xen_netfront
[ -x "$front" ] || skip "needs xen_netfront, which needs libxen-dev"

image disk1.img 1
start_service --image disk1.img --vif bridge=xenbr0
exchange() { # RING_START KIND
    timeout -k 2 $((30 * slack)) "$front" "$SPLITDOM_RUNDIR/default/dom0.sock" 500 "$@" >out 2>err ||
        die "xen_netfront, rings from $1, $2: $(cat err)"
    grep -q '^500 frames went and came' out || die "xen_netfront: $(cat out)"
}
for ring_start in 0 4294967290 2147483640; do
    exchange $ring_start linux
done
for kind in linux-crash mini-os-old mini-os ipxe openbsd freebsd windows; do
    exchange 0 $kind
done
eventually 5 domains_are 0 || die "domains are left"
service stop >/dev/null || die "stop"

# Mini-OS's says that it wants persistent grants, wherever it is.
start_service --image disk1.img --vif bridge=xenbr0,persistent=1
for kind in linux mini-os; do
    exchange 0 $kind
done
eventually 5 domains_are 0 || die "domains are left"
service stop >/dev/null || die "stop"
