# SPDX-License-Identifier: MIT
# Completion in virtual time: with the model disk, what a domain sees of a read is what the model
# computed, to the nanosecond, whatever the wake-ups of this machine add.
# alone: what it measures depends on who else runs
# sanitizers: long: what gives answers at their stamps has sanitized unit tests
. "$(dirname "$0")/functions.sh"

client=$BIN/client
image disk1.img 4

end_client() {
    kill "$pid" 2>/dev/null
}

# exact TDF WANTED_NS: latencies of asynchronous reads are WANTED_NS, but for rounding. Whole blocks one
# after the other, because a read of a block that is under way already takes less.
exact() {
    "$client" 1 300 --depth 8 --tdf "$1" --pattern sequential --sectors-per-request 8 --no-record \
        --dump-latencies latencies >/dev/null || die "client --tdf $1"
    awk -v w="$2" '$1 > w + 2 || $1 < w - 2 { bad = 1 } END { exit bad || NR != 300 }' latencies ||
        die "not all latencies under TDF $1 are $2 ns: $(sort -n latencies | sed -n '1p;$p' | xargs)"
}

start_service --engine model --model mean=2ms,law=fixed,channels=64 --cache-bytes 0
exact 1 2000000
exact 10 200000
exact 1/2 4000000
expect 0 '' "$BIN/service" stop

# The scale applies, too.
start_service --engine model --model mean=1ms,law=fixed,channels=64 --cache-bytes 0 --disk-scale 4
exact 4 1000000
expect 0 '' "$BIN/service" stop

# Blocking reads complete, also while their clock is stopped and goes on.
start_service --engine model --model mean=20ms,law=fixed --cache-bytes 0
"$client" 2 1000000 --no-record >stdout 2>stderr &
pid=$!
cleanup_fn end_client
shows() {
    domid=$("$BIN/service" list | awk '$1 > 0 && $5 == 4 { print $1 }')
    [ -n "$domid" ]
}
eventually 10 shows || die "the client's domain does not show: $(cat stderr)"
"$BIN/service" pause "$domid" || die "pause"
"$BIN/service" unpause "$domid" || die "unpause"
before=$(status_number 'total":{"requests')
eventually 10 requests_exceed $((before + 10)) || die "no read completes any more: $(cat stderr)"
kill -TERM $pid
reap 5000 $pid
[ $status = 143 ] || die "the client failed: exit $status: $(cat stderr)"
