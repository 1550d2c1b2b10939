#!/bin/bash
# SPDX-License-Identifier: MIT
# An interface with two queues, by domu traffic: frames of both come back whole and in their order, its nodes are Xen's,
# and with --reconnect it outlives kill -9 of Dom0.
# sanitizers: long: the same code under many senders is test_netfront_queues, which they have
. "$(dirname "$0")/functions.sh"
requires jq
[ "$(nproc)" -gt 1 ] || skip "the service offers a queue for each processor, and there is one"
image disk1.img 1
start_service --vif bridge=xenbr0

# exchange COUNT: so many frames to the echo and back
exchange() {
    "$BIN/domu" traffic --to "$(vif_of echo .mac)" --queues 2 --count "$1" --rate 400 --size 100 --linger $((60 * slack)) --json >source.out 2>source.err ||
        die "the sender fails: $(cat source.err)"
    [ "$(jq -r .queues source.out)" = 2 ] || die "not two queues: $(cat source.out)"
    [ "$(jq -r .returned.unique source.out)" = "$1" ] || die "not all came back: $(cat source.out)"
    [ "$(jq -r '.returned.lost + .returned.duplicates + .returned.reordered + .corrupt' source.out)" = 0 ] || die "damage: $(cat source.out)"
}

"$BIN/domu" traffic --echo --queues 2 --reconnect --json --domain-name echo >echo.out 2>echo.err &
echo=$!
eventually 20 connected_vif echo || die "no echo: $(cat echo.err)"
exchange 101
if command -v xenstore-read >/dev/null; then
    eval "$(service env)"
    front=/local/domain/$(service domid echo)/device/vif/0
    [ "$(xenstore-read "$front/multi-queue-num-queues")" = 2 ] || die "not two queues"
    for queue in queue-0 queue-1; do
        for node in tx-ring-ref rx-ring-ref event-channel-tx event-channel-rx; do
            xenstore-read "$front/$queue/$node" >/dev/null || die "no $queue/$node"
        done
    done
    ! xenstore-read "$front/tx-ring-ref" 2>/dev/null || die "a ring beside the queues"
    unset XENSTORED_PATH
fi

dom0=$(dom0_pid)
mac=$(vif_of echo .mac)
kill -9 "$dom0"
eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
start_service --vif bridge=xenbr0
eventually 60 connected_vif echo || die "no echo at the next Dom0: $(cat echo.err)"
[ "$(vif_of echo .mac)" = "$mac" ] || die "the next Dom0 calls the echo $(vif_of echo .mac), not $mac"
exchange 101
kill $echo
reap 10000 $echo
[ "$status" = 0 ] || die "the echo ends with $status: $(cat echo.err)"
[ "$(jq -r '.streams_ended, .corrupt, .not_echoed, .interface.reconnects' echo.out | xargs)" = "4 0 0 1" ] || die "the echo's report: $(cat echo.out)"
"$BIN/domu" traffic --queues 9 2>err && die "9 queues"
grep -q -- '--queues' err || die "the reason is missing: $(cat err)"
service stop >/dev/null || die 'no stop'
