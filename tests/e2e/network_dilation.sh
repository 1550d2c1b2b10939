#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# Frames off a link (400 kbit/s, 50 ms, exponential jitter of 7.5 ms) as domains at TDF 1, 10 and 100 see them come: REPEATS
# (20) interleaved repetitions, the arms of each at the same time, FRAMES (25) frames each. Intervals between arrivals are
# those of CLOCK_REALTIME at the receivers, all that the machine is late by included, divided by the factor.
#   - With other seeds: p-values of Kolmogorov and Smirnov's test of TDF 1 against 10 and 100 are distributed as
#     those of TDF 1 against itself.
#   - With the same seeds: Wasserstein's distance of TDF 1 and the others is 1 % of the mean interval at most, and so
#     finds a link of 392 kbit/s, which must be further away.
# Prints the figures; network_dilation.py has the statistics. With TEST_LONG.
# sanitizers: long: it is about times
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires jq python3
repeats=${REPEATS:-20} together=${TOGETHER:-20} frames=${FRAMES:-25}
image disk1.img 1
start_service --vif bridge=xenbr0

mac() { service status --json | jq -r ".domains[] | select(.name == \"$1\") | .vifs[0] | select(.state == \"Connected\") | .mac"; }
has_mac() { MAC=$(mac "$1") && [ -n "$MAC" ]; }

# receiver NAME TDF RATE SEED: a domain behind a link; RECEIVER is its process.
receiver() {
    "$BIN/domu" pcap "$1.pcap" --count "$frames" --tdf "$2" --domain-name "$1" >"$1.log" 2>&1 &
    RECEIVER=$!
    eventually 20 has_mac "$1" || die "no domain $1: $(cat "$1.log")"
    service net-link "vif$(service domid "$1").0" way=down rate="$3" delay=50ms jitter=7500us:exponential seed="$4" ||
        die "no link before $1"
    MACS[$1]=$MAC
}
send_to() {
    "$BIN/domu" traffic --to "${MACS[$1]}" --count "$frames" --size 1250 --linger 0 --domain-name "to-$1" >"to-$1.log" 2>&1 ||
        die "the sender to $1 failed: $(cat "to-$1.log")"
}
await() { for process in "$@"; do wait "$process" || die "a receiver failed: $(cat ./*.log)"; done; }

# Those of TDF 1 are short, and come one after the other while the others' frames are on their way: at TDF 1 whatever else
# starts and ends on the machine meanwhile is seen in full.
for ((first = 0; first < repeats; first += together)); do
    declare -A MACS=()
    slow=() fast=()
    for ((i = first; i < first + together && i < repeats; i++)); do
        receiver "a$i" 1 400kbit "$i"
        fast+=("$RECEIVER")
        receiver "b$i" 10 400kbit "$i"
        slow+=("$RECEIVER")
        receiver "c$i" 100 400kbit "$i"
        slow+=("$RECEIVER")
        receiver "d$i" 10 392kbit "$i"
        slow+=("$RECEIVER")
        send_to "c$i"
        send_to "b$i"
        send_to "d$i"
    done
    for ((i = first; i < first + together && i < repeats; i++)); do
        send_to "a$i"
        await "${fast[i - first]}"
    done
    await "${slow[@]}"
done
python3 "$TOP/tests/e2e/network_dilation.py" "$repeats" "$frames"
