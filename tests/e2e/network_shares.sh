#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# Eight domains that flood a ninth, at frames of 60 bytes, 1500 bytes and mixed ones: equal weights get equal bytes (Jain's
# index at least 0.999), weights of 1 to 8 their shares within 1 %. Prints both. SECONDS_EACH times (4), with TEST_LONG.
# sanitizers: long: shares are of bytes and turns, which a sanitizer changes nothing of
#
# Turns decide only among those who have something on their rings: so Dom0 has the CPU of the eight, and only while all
# of them wait for it. Then it does not matter how busy the machine is.
. "$(dirname "$0")/functions.sh"
[ -n "${TEST_LONG:-}" ] || skip "a long test: TEST_LONG=1"
requires jq python3 chrt taskset
cpu=$(taskset -cp $$ | sed 's/.*[ ,-]//')
taskset -c "$cpu" chrt -i 0 true 2>/dev/null || skip "no SCHED_IDLE here"
seconds=${SECONDS_EACH:-4}
image disk1.img 1
# In the foreground: in a session of its own it could have a scheduling group of its own, and half of the CPU.
taskset -c "$cpu" chrt -i 0 "$BIN/service" start --foreground --image "$PWD/disk1.img" --no-spin --vif bridge=xenbr0 >dom0.log 2>&1 &
dom0=$!
is_running() { service status >/dev/null 2>&1; }
eventually 20 is_running || die "the service does not start: $(cat dom0.log)"

"$BIN/domu" traffic --domain-name sink >sink.out 2>&1 &
eventually 20 connected_vif sink || die "no sink: $(cat sink.out)"
kill -STOP $! # what came of it is not asked
mac=$(vif_of sink .mac)

# measure SIZE NAME: what each of the eight has sent in so many seconds, by weight
measure() {
    sleep 0.2 # until the turns of before are over; only the figures depend on it
    service status --json >before
    sleep "$seconds" # the measurement
    service status --json >after
    python3 - "$1" "$2" <<'END' || die "the shares of $2, frames of $1 bytes"
import json, sys
sent = {}
for path in "before", "after":
    for domain in json.load(open(path))["domains"]:
        if domain["name"] != "sink":
            sent.setdefault((domain["name"], domain["weight"]), []).append(domain["vifs"][0]["tx_bytes"])
shares = [(after - before) / weight for (_, weight), (before, after) in sorted(sent.items())]
jain = sum(shares) ** 2 / len(shares) / sum(share * share for share in shares)
mean = sum(shares) / len(shares)
off = max(abs(share / mean - 1) for share in shares)
print("%s, frames of %s bytes: Jain %.6f, at most %.3f %% off"
      % (sys.argv[2], sys.argv[1], jain, 100 * off))
assert len(shares) == 8 and mean > 0 and jain >= 0.999 and off <= 0.01
END
}

for size in 60 1500 60-1514; do
    senders=()
    for i in 1 2 3 4 5 6 7 8; do
        taskset -c "$cpu" "$BIN/domu" traffic --to "$mac" --seconds 600 --size $size --domain-name "s$i" >"s$i.out" 2>&1 &
        senders+=($!)
    done
    for i in 1 2 3 4 5 6 7 8; do eventually 20 connected_vif "s$i" || die "no s$i: $(cat "s$i.out")"; done
    measure $size "equal weights"
    for i in 1 2 3 4 5 6 7 8; do service set "$(service domid "s$i")" weight $((128 * i)) || die "set"; done
    measure $size "weights 1 to 8"
    kill "${senders[@]}"
    for sender in "${senders[@]}"; do reap 20000 "$sender"; done
    eventually 20 domains_are 1 || die "domains stay"
done
service stop >/dev/null || die "no stop"
reap 20000 $dom0
