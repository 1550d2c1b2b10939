#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1500
# A day of traffic in ten minutes: domains whose clocks are 144 times as fast as the real one (TDF 1/144), for SOAK_SECONDS
# (86400) of their time. One pair sends frames of 60 to 1514 bytes over a link that loses some, one segments of TCP: each that was
# sent has come once and unchanged, or is counted, by the link or by the interface. A third one gets its frames back: once
# and unchanged, or they are counted, on the way there, by who sends them back, or on the way back. Prints the numbers.
# With TEST_LONG.
# sanitizers: long: it is about a long time
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires jq
seconds=${SOAK_SECONDS:-86400}
image disk1.img 1
start_service --vif bridge=xenbr0

value() { jq -r "$2" "$1.out"; }
# begin NAME ARGUMENT...: domu traffic in the background, until it is connected; sets mac and process.
begin() {
    local name=$1
    shift
    "$BIN/domu" traffic --tdf 1/144 --json --domain-name "$name" "$@" >"$name.out" 2>"$name.err" &
    process=$!
    eventually 20 connected_vif "$name" || die "no domain $name: $(cat "$name.err")"
    mac=$(vif_of "$name" .mac)
}

begin sink
sink=$process sink_mac=$mac
service net-link "vif$(service domid sink).0" way=down delay=20ms jitter=1ms loss=0.5% queue=1000 seed=7 || die "no link"
begin large
large=$process large_mac=$mac
begin echo --echo
echo=$process echo_mac=$mac
begin source --to "$sink_mac" --seconds "$seconds" --rate 40 --size 60-1514
senders=("$process")
begin segments --to "$large_mac" --seconds "$seconds" --rate 4 --size 30000 --gso 1448
senders+=("$process")
# It stays until it is told to end, if one frame has not come back: its interface's counters go with it.
begin asker --to "$echo_mac" --count $((seconds * 20)) --rate 20 --size 60-9000 --linger 1000000
asker=$process
for process in "${senders[@]}"; do wait "$process" || die "a sender failed: $(cat ./*.err)"; done

# settled NAME SENT: all is delivered or dropped, three frames that say that it was all among it.
settled() {
    counts=$(vif_of "$1" '.rx_frames + ([.dropped[]] | add)')
    [ "$counts" -ge $(($2 + 3)) ]
}
# judge RECEIVER PROCESS SENDER: prints what became of its frames.
judge() {
    local sent dropped lost
    sent=$(value "$3" .sent_frames)
    eventually 60 settled "$1" "$sent" || die "of $sent frames to $1 Dom0 has counted $counts"
    [ "$counts" = $((sent + 3)) ] || die "of $sent frames to $1 Dom0 has counted $counts"
    dropped=$(vif_of "$1" '[.dropped[]] | add')
    kill "$2"
    reap 20000 "$2"
    [ "$status" = 0 ] || die "$1 ends with $status: $(cat "$1.err")"
    lost=$((sent - $(value "$1" .incoming.unique)))
    echo "to $1: sent $sent, came $(value "$1" .incoming.unique), dropped with a count $dropped (of all and the 3 that say so)"
    [ "$lost" -le "$dropped" ] && [ $((lost + 3)) -ge "$dropped" ] || die "$lost are lost, $dropped counted: $(cat "$1.out")"
    [ "$(value "$1" '.incoming.duplicates + .corrupt')" = 0 ] || die "damage: $(cat "$1.out")"
    [ "$(value "$3" '.interface | .tx_errors + .tx_dropped + .tx_lost')" = 0 ] || die "errors: $(cat "$3.out")"
}
judge sink "$sink" source
judge large "$large" segments

# What Dom0 delivered to an interface or dropped there.
arrived() { vif_of "$1" '.rx_frames + ([.dropped[]] | add)'; }
asked() { [ "$(arrived echo)" -ge $((seconds * 20 + 3)) ]; }
# All that was sent back has come or is counted; if all came, the asker has ended.
answered() { ! kill -0 "$asker" 2>/dev/null || [ "$(arrived asker)" -ge "$(vif_of echo .tx_frames)" ]; }
eventually $((seconds / 144 + 60)) asked || die "to echo: Dom0 has counted $(arrived echo) of $((seconds * 20)) frames and 3 that say so"
# How many it has not sent back: who waits for room does so for 100 ms of its time, less than one of ours. Looks that agree.
looks=0 unsent=
steady() {
    local now
    now=$(vif_of echo '.rx_frames - .tx_frames')
    looks=$((now == unsent ? looks + 1 : 0)) unsent=$now
    [ $looks -ge 50 ]
}
eventually 60 steady || die "echo goes on and on"
eventually 60 answered || die "back: Dom0 has counted $(arrived asker) of $(vif_of echo .tx_frames) frames"
there=$(arrived echo) lost_there=$(vif_of echo '[.dropped[]] | add') back=$(vif_of echo .tx_frames)
came=$back lost_back=0
if kill -0 "$asker" 2>/dev/null; then
    came=$(arrived asker) lost_back=$(vif_of asker '[.dropped[]] | add')
    kill "$asker"
fi
reap 20000 "$asker"
[ "$status" = 0 ] || die "asker ends with $status: $(cat asker.err)"
kill "$echo"
reap 20000 "$echo"
[ "$status" = 0 ] || die "echo ends with $status: $(cat echo.err)"
sent=$(value asker .sent_frames) unique=$(value asker .returned.unique) not_echoed=$(value echo .not_echoed)
counted=$((lost_there + not_echoed + lost_back)) lost=$((sent - unique))
echo "to echo and back: sent $sent, came back $unique; dropped with a count $lost_there there, $lost_back back, not sent back $not_echoed (of all and the 3 that say so)"
[ "$there" = $((sent + 3)) ] || die "of $sent frames to echo Dom0 has counted $there"
[ "$unsent" = "$not_echoed" ] || die "echo has not sent back $unsent frames, and says $not_echoed"
[ "$came" = "$back" ] || die "of $back frames from echo Dom0 has counted $came"
[ "$lost" -le "$counted" ] && [ $((lost + 3)) -ge "$counted" ] || die "$lost are lost, $counted counted: $(cat asker.out echo.out)"
[ "$(value asker '.returned.duplicates + .corrupt')" = 0 ] || die "damage: $(cat asker.out)"
for end in asker echo; do
    [ "$(value $end '.interface | .tx_errors + .tx_dropped + .tx_lost + .rx_errors')" = 0 ] || die "errors: $(cat $end.out)"
done
echo "$(value source .seconds) s of the domains' time"
