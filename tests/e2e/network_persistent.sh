#!/bin/bash
# SPDX-License-Identifier: MIT
# Persistent grants of an interface, where they are asked for: both halves' nodes say so, pages stay in use, and frames come
# back whole. The next Dom0 may not offer them: then none stays.
# sanitizers: long: the same code is test_vif_queue_persistent, which they have
. "$(dirname "$0")/functions.sh"
requires jq
image disk1.img 1

exchange() { # a frame takes two slots, one for its time of arrival: every other page for what comes in has its turn
    "$BIN/domu" traffic --to "$(vif_of echo .mac)" --count 300 --rate 2000 --size 1500 --linger $((60 * slack)) --json >source.out 2>source.err ||
        die "the sender fails: $(cat source.err)"
    [ "$(jq -r '.returned | "\(.unique) \(.lost) \(.duplicates)"' source.out)" = "300 0 0" ] || die "not all came back: $(cat source.out)"
}
node() (
    eval "$(service env)"
    xenstore-read "/local/domain/$1/feature-persistent" 2>/dev/null
)
nodes_are() { # VALUE: of both halves; empty: absent
    command -v xenstore-read >/dev/null || return 0
    local domid
    domid=$(service domid echo)
    [ "$(node "$domid/device/vif/0")" = "$1" ] || die "the front end's node is '$(node "$domid/device/vif/0")'"
    [ "$(node "0/backend/vif/$domid/0")" = "$1" ] || die "the back end's node is '$(node "0/backend/vif/$domid/0")'"
}

start_service --image disk1.img --vif bridge=xenbr0,persistent=1
"$BIN/domu" traffic --echo --reconnect --json --domain-name echo >echo.out 2>echo.err &
echo=$!
eventually 20 connected_vif echo || die "no echo: $(cat echo.err)"
nodes_are 1
[ "$(vif_of echo .persistent_grants)" = 0 ] || die "grants that were never used stay in use"
exchange
kept=$(vif_of echo .persistent_grants)
[ "$kept" -gt 128 ] && [ "$kept" -le 512 ] || die "$kept pages are in use"

dom0=$(dom0_pid)
kill -9 "$dom0"
eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
start_service --image disk1.img --vif bridge=xenbr0
eventually 60 connected_vif echo || die "no echo at the next Dom0: $(cat echo.err)"
nodes_are ''
exchange
[ "$(vif_of echo .persistent_grants)" = 0 ] || die "pages stay in use, and that was not offered"
kill $echo
reap 10000 $echo
[ "$status" = 0 ] || die "the echo ends with $status: $(cat echo.err)"
service stop >/dev/null || die 'no stop'
