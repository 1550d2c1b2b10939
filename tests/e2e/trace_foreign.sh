# SPDX-License-Identifier: MIT
# sanitizers: long: what runs here runs in trace.sh, too
# A front end that knows nothing of traces, and calls its requests what it likes, over and over: Dom0 alone decides
# which of them it looks at, and those stand for all.
. "$(dirname "$0")/functions.sh"
requires python3
front=$(dirname "$(dirname "$TEST_BIN")")/tests/abi/xen_front
[ -x "$front" ] || skip "needs xen_front, which needs libxen-dev"

image disk1.img 4
start_service
# Ids whose bits 16 to 31 are those of our front end for: nothing decided; for none; for the smallest samples; for few.
for first_id in 0 4294901760 65536 281471402475520; do
    for sample in 1 7; do
        rm -f err # what the last one said is not this one's
        "$BIN/service" trace --seconds 600 --sample $sample all.json >table 2>err &
        tracer=$!
        eventually 10 grep -qs 'tracing for' err || die "no trace: $(cat err)"
        timeout -k 2 $((30 * slack)) "$front" "$SPLITDOM_RUNDIR/default/dom0.sock" disk1.img 3000 --first-id $first_id \
            --queues 2 >out 2>front.err || die "xen_front: $(cat front.err)"
        kill -TERM $tracer
        reap $((60000 * slack)) $tracer
        [ "$status" = 0 ] || die "service trace: $(cat err)"
        python3 "$TOP/tests/e2e/trace_check.py" all.json || die "no trace: ids from $first_id, one of $sample"
        python3 - $sample <<'END' || die "ids from $first_id, one of $sample: $(cat table)"
import json, sys
sample, trace = int(sys.argv[1]), json.load(open("all.json"))
lives = [e for e in trace["traceEvents"] if e["ph"] == "b" and e["cat"] == "request"]
weight = sum(e["args"]["weight"] for e in lives)
# On a busy machine the first ones go by before Dom0 traces the domain that has just come.
assert 0.7 * 3000 / sample <= len(lives) <= 3000 / sample + 2, len(lives)
assert 0.7 * 3000 < weight <= 3000, weight
assert trace["otherData"]["asked"] == weight and trace["otherData"]["nonsense"] == 0, trace["otherData"]
END
    done
done
service stop >/dev/null || die "stop"
