#!/bin/bash
# SPDX-License-Identifier: MIT
# Links before an interface, with frames in them: a delay in the domain's time at two dilations, losses and full queues
# that are counted, a rule, and two bridges that are joined.
. "$(dirname "$0")/functions.sh"
requires jq
"$BIN/domu" --help | grep -q 'traffic' || skip "this domu sends no frames"

image disk1.img 1
start_service --bridge xenbr0 --bridge xenbr1 --vif bridge=xenbr0
domu() { timeout -k 2 $((30 * slack)) "$BIN/domu" "$@"; }
begin_echo() { # NAME ARGUMENT...
    local name=$1
    shift
    "$BIN/domu" traffic --echo --domain-name "$name" "$@" >"$name.out" 2>"$name.err" &
    eventually 10 connected_vif "$name" || die "no domain $name: $(cat "$name.err")"
    mac=$(vif_of "$name" .mac)
    link=$(vif_of "$name" .name)
}
send() { # COUNT ARGUMENT...
    local count=$1
    shift
    domu traffic --to "$mac" --count "$count" --rate 1000 --size 200 --linger 1 --json "$@" >sent || die "the sender fails"
}

# 2 ms there and back of the domain's own time, whatever its clock: the smallest of a hundred round trips.
for tdf in 1 10; do
    begin_echo echo$tdf --tdf $tdf
    service net-link "$link" delay=1ms || die "no link"
    near() {
        send 100 --tdf $tdf
        jq -e '.returned.unique == 100 and .round_trip_ns.min >= 2000000 and .round_trip_ns.min < 2500000' sent >/dev/null
    }
    eventually 5 near || die "not 2 ms at TDF $tdf: $(cat sent)"
done

# Losses and a full queue: nothing is missing that no counter has.
service net-link "$link" loss=20% rate=1Mbit queue=5 delay=0 || die "no change"
send 300
drained() { service status --json | jq -e '.domains[0].vifs[0].link | .up.waiting_frames + .down.waiting_frames + .up.under_way_frames + .down.under_way_frames == 0' >/dev/null; }
eventually 10 drained || die "frames stay in the link"
counts() { vif_of echo10 ".link.$1 | .in_frames + .duplicated == .out_frames + .lost + .queue_full + .early"; }
[ "$(counts up) $(counts down)" = "true true" ] || die "not counted: $(vif_of echo10 .link)"
[ "$(vif_of echo10 '.link.down | .lost > 20 and .queue_full > 20')" = true ] || die "nothing was dropped: $(vif_of echo10 .link)"
[ "$(vif_of echo10 '.dropped["link-loss"] == .link.up.lost + .link.down.lost')" = true ] || die "drops: $(vif_of echo10 .)"

# A rule drops what comes back; without it all is as before.
! service net-link "$(printf '%5000s' '' | tr ' ' x)" 2>err || die "a name of 5000 characters"
grep -q 'the name and the words of a link have up to 1023 characters together, not 5000' err || die "the reason is missing: $(cat err)"
service net-link "$link" remove
service rule add in="$link" drop >/dev/null
send 20
[ "$(jq .returned.unique sent)" = 0 ] || die "the rule drops nothing: $(cat sent)"
service rule flush
send 20 --linger $((20 * slack))
[ "$(jq .returned.unique sent)" = 20 ] || die "not as before: $(cat sent)"


# The node `rate` of the interface that echoes: in an hour it sends no more than a few frames, until the limit is lifted.
if command -v xenstore-write >/dev/null; then
    eval "$(service env)"
    rate=/local/domain/0/backend/vif/$(service domid echo10)/0/rate
    xenstore-write "$rate" 1000,3600000000
    limited() { [ "$(vif_of echo10 '[.rate_bytes, .rate_interval_us] | join(" ")')" = '1000 3600000000' ]; }
    eventually 5 limited || die "the rate is not heard: $(vif_of echo10 .)"
    had=$(vif_of echo10 .rx_frames)
    domu traffic --to "$mac" --count 20 --rate 1000 --size 200 --linger $((20 * slack)) --json >sent &
    sender=$!
    all_there() { [ "$(vif_of echo10 .rx_frames)" -ge $((had + 20)) ]; }
    eventually 10 all_there || die "the frames do not come: $(vif_of echo10 .)"
    kill -0 $sender || die "what was to be limited came back: $(cat sent)"
    xenstore-rm "$rate"
    wait $sender || die "the sender fails"
    [ "$(jq .returned.unique sent)" = 20 ] || die "not all of them when the limit is lifted: $(cat sent)"
fi
