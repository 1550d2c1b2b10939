#!/bin/bash
# SPDX-License-Identifier: MIT
# Frames between domains, by domu traffic: each one that was sent came once and unchanged, or Dom0 has counted it; echoes
# at a rate of a dilated clock; a capture of what comes to a third domain; what is refused, and how it ends.
. "$(dirname "$0")/functions.sh"
requires jq
service --help | grep -q -- '--vif SPEC' || skip "this service has no networks"

image disk1.img 1
start_service --vif bridge=xenbr0

domu() { timeout -k 2 $((30 * slack)) "$BIN/domu" "$@"; }
# begin NAME ARGUMENT...: domu in the background as the domain NAME, until its interface is connected; sets mac.
begin() {
    local name=$1
    shift
    "$BIN/domu" "$@" --domain-name "$name" >"$name.out" 2>"$name.err" &
    eventually 10 connected_vif "$name" || die "no domain $name: $(cat "$name.err")"
    mac=$(vif_of "$name" .mac)
}
value() { jq -r "$2" "$1.out"; }

# As fast as it goes: Dom0 has no room for all.
begin sink traffic --streams 1 --linger 20 --json
sink=$!
domu traffic --to "$mac" --seconds 1 --size 60-1514 --json >source.out || die "the sender fails"
sent=$(value source .sent_frames)
[ "$sent" -gt 100 ] || die "only $sent frames in a second"
# What it has sent is on its way until it has been delivered or dropped: then nothing changes any more.
settled() {
    counts=$(vif_of sink '.rx_frames + ([.dropped[]] | add)')
    [ "$counts" -ge $((sent + 3)) ] # and three that say that it was all
}
eventually 20 settled || die "of $sent frames Dom0 has counted $counts"
dropped=$(vif_of sink '[.dropped[]] | add')
end_dropped=0
kill $sink
reap 10000 $sink
[ "$status" = 0 ] || die "the receiver ends with $status: $(cat sink.err)"
[ "$(value sink .incoming.expected)" = "$sent" ] || end_dropped=1
[ $end_dropped = 1 ] || [ "$(value sink .incoming.lost)" -le "$dropped" ] || die "lost without a count: $(cat sink.out), dropped: $dropped"
[ $end_dropped = 1 ] || [ $(($(value sink .incoming.lost) + 3)) -ge "$dropped" ] || die "counted, but not lost: $(cat sink.out), dropped: $dropped"
[ "$(value sink '.incoming.duplicates + .incoming.reordered + .incoming.too_late + .corrupt')" = 0 ] || die "damage: $(cat sink.out)"
[ "$(value source '.interface | .tx_errors + .tx_dropped + .tx_lost')" = 0 ] || die "errors: $(cat source.out)"

# At a rate, sent back: all of them, of all sizes, and as segments. The clock runs ten times as fast as the real one. So
# few that the rings hold all of them, whoever is late.
begin echo traffic --echo
domu traffic --to "$mac" --count 40 --rate 100 --size 60-9000 --tdf 1/10 --linger 300 --json >source.out || die "the sender fails"
[ "$(value source .returned.unique)" = 40 ] || die "not all came back: $(cat source.out)"
[ "$(value source '.returned.lost + .returned.duplicates + .returned.reordered + .corrupt')" = 0 ] || die "damage: $(cat source.out)"
[ "$(value source '.seconds >= 0.38')" = true ] || die "too fast: $(cat source.out)"
[ "$(value source '.round_trip_ns | .count == 40 and .min > 0 and .min <= .p50 and .p50 <= .p99 and .p99 <= .max')" = true ] ||
    die "times: $(cat source.out)"
domu traffic --to "$mac" --count 8 --rate 1000 --size 65000 --gso 1448 --linger 60 >source.out || die "the sender fails"
grep -q '^returned: 8 of 8 frames, 0 lost' source.out || die "segments: $(cat source.out)"

# A capture: what goes to all comes to it, too.
begin watcher pcap capture.pcapng --count 50
watcher=$!
domu traffic --to ff:ff:ff:ff:ff:ff --count 60 --rate 1000 --size 100 --linger 0 >source.out || die "the sender fails"
reap 10000 $watcher
[ "$status" = 0 ] || die "domu pcap ends with $status: $(cat watcher.err)"
[ "$(head -c 4 capture.pcapng | od -An -tx1 | tr -d ' ')" = 0a0d0d0a ] || die "no pcapng"
[ "$(grep -aoE 'domain [0-9]+\.[0-9]{9}' capture.pcapng | wc -l)" = 50 ] || die "not 50 frames with two times"
if command -v tcpdump >/dev/null; then
    [ "$(tcpdump -n -r capture.pcapng 2>/dev/null | grep -c 'ethertype .*88b5')" = 50 ] || die "tcpdump does not read it"
fi

# What top shows are these counts, as Dom0 sees them.
begin idle traffic
top_is_status() { # some frames may still be on their way
    local line
    service status --json >status && service top -b -i 1 -n >out || return 1
    jq -r '.domains[] | .vifs[] | "^Net\(.devid) RX: +\(.tx_bytes)bytes +\(.tx_frames)pkts +\(.tx_errors)err +[0-9]+drop  TX: +\(.rx_bytes)bytes +\(.rx_frames)pkts +\(.rx_errors)err +[0-9]+drop  \(.name) \(.mac)$"' status >lines
    [ "$(wc -l <lines)" = 2 ] || return 1
    while read -r line; do grep -qE "$line" out || return 1; done <lines
}
eventually 10 top_is_status || die "not as the status has them: $(cat lines out)"
awk '$1 == "NAME" { for (i = 1; i <= NF; i++) { if ($i == "NETS") nets = i; if ($i == "NETRX(k)") rx = i } }
    $1 == "echo" { exit !($nets == 1 && $rx > 0) }' out || die "the columns: $(cat out)"

# What is refused.
expect 2 'such as 00:16' domu traffic --to nonsense
expect 2 'unknown argument' domu traffic nonsense
expect 2 'IFNAME is missing' domu tap
expect 2 'which file' domu pcap
expect 1 'no interface 7.*network-attach' domu pcap - --vif 7
expect 1 'cannot write' domu pcap /nowhere/file
expect 1 'is no name of an interface' domu tap a/b
expect 1 '' domu traffic --name nowhere

# A new Dom0, which gives another address: what is sent from then on comes from that one.
begin roamer traffic --to ff:ff:ff:ff:ff:ff --rate 200 --reconnect
roamer=$!
service stop >/dev/null
start_service --vif bridge=xenbr0
goes_on() { [ "$(vif_of roamer '.tx_frames - .dropped.spoofed > 20')" = true ]; }
eventually 30 goes_on || die "all is dropped after a restart: $(service status)"
kill $roamer
reap 10000 $roamer
[ "$status" = 0 ] || die "the sender ends with $status: $(cat roamer.err)"

# The service ends: so do all, and say why.
begin last traffic
last=$!
service stop >/dev/null
reap 10000 $last
[ "$status" = 1 ] && grep -q 'Dom0 is gone' last.err || die "ends with $status: $(cat last.err)"
