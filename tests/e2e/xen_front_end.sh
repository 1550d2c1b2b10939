# SPDX-License-Identifier: MIT
# A front end written with Xen's own headers and macros reads real sectors.
. "$(dirname "$0")/functions.sh"

front=$(dirname "$(dirname "$TEST_BIN")")/tests/abi/xen_front
[ -x "$front" ] || skip "needs xen_front, which needs libxen-dev"

image disk1.img 4
for engine in auto threads; do
    start_service --engine $engine
    for options in '' --mini-os --persistent '--persistent --mini-os' '--ring-start 4294967290' \
        '--ring-start 2147483640 --seed 5' '--queues 2' '--queues 4 --persistent --ring-start 4294967290'; do
        # shellcheck disable=SC2086 # several arguments
        timeout -k 2 $((30 * slack)) "$front" "$SPLITDOM_RUNDIR/default/dom0.sock" disk1.img 400 $options \
            >out 2>err || die "xen_front $options, engine $engine: $(cat err)"
        grep -q '^400 requests match' out || die "xen_front $options: $(cat out)"
        queues=1
        [ "${options#--queues}" = "$options" ] || [ "$(getconf _NPROCESSORS_ONLN)" = 1 ] || queues='[2-4]'
        grep -q "; $queues queues" out || die "xen_front $options: $(cat out)"
    done
    eventually 5 domains_are 0 || die "domains are left"
    client 4 500 >/dev/null || die "a client beside it fails"
    verify_all 500
    service stop >/dev/null || die "stop"
done
