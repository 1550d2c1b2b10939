# SPDX-License-Identifier: MIT
# A disk that fails some reads, delivers half of others, and is slow at times: each read that fails is
# an error of its own. It is counted and told; nothing of it is recorded, everything else is right.
. "$(dirname "$0")/functions.sh"

reads=4000

# run NAME CLIENT-OPTIONS...: exit 1, as many records as reads that did not fail
run() {
    local name=$1 pid failed
    shift
    rm -f sectors.* read.*
    "$BIN/client" "$@" --json >out 2>err &
    pid=$!
    wait $pid
    status=$?
    failed=$(grep -oE '"failed" *: *[0-9]+' out | grep -oE '[0-9]+$')
    [ "${failed:-0}" -gt 0 ] || die "$name: no read failed: $(cat out)"
    [ $status = 1 ] || die "$name: exit $status although $failed reads failed"
    grep -q 'failed: Input/output error' err || die "$name: nothing is told: $(cat err)"
    [ "$(wc -l <sectors.$pid)" = $((reads - failed)) ] ||
        die "$name: $(wc -l <sectors.$pid) records, $reads reads, $failed failed"
    verify $pid
    echo "$name: $failed of $reads failed"
}

image disk1.img 4
start_service --engine model --model mean=20us,channels=16,error=0.05,short=0.05,slow=0.01:2ms,data=image,seed=3 --cache-percent 0
run blocking 8 $reads
run asynchronous 1 $reads --depth 32
grep -qE 'disk1.img: reading failed \([0-9]+ bytes at [0-9]+\): Input/output error' "$SPLITDOM_RUNDIR/default/dom0.log" ||
    die "the log does not tell of the errors: $(cat "$SPLITDOM_RUNDIR/default/dom0.log")"
service stop >stopped || die "stop"
grep -qE '[1-9][0-9]* errors' stopped || die "Dom0 does not tell of the errors: $(cat stopped)"

# With a cache: what failed is not in it.
start_service --engine model --model mean=20us,channels=16,error=0.05,short=0.05,data=image,seed=4
run cached 8 $reads --pattern hotset:0.5:100

# A read that is stuck makes its own thread wait, and nobody else.
service stop >/dev/null || die "stop"
start_service --engine model --model mean=20us,channels=16,stuck=0.001,data=image,seed=5 --cache-percent 0
"$BIN/client" 8 1000000 >out 2>err &
pid=$!
eventually 10 requests_exceed 2000 || die "stuck reads hold up all others"
# The first signal lets reads in flight end; one that comes after it was taken does not wait for them.
ended() {
    kill -TERM $pid 2>/dev/null
    gone $pid
}
eventually 5 ended || die "two signals do not end a client with stuck reads"
reap 3000 $pid
verify_or_empty() { [ ! -s "sectors.$pid" ] || verify "$pid"; }
verify_or_empty
# Dom0 would leave its buffers to the disk that may still write there, on purpose, and a sanitizer tell.
kill -9 "$(dom0_pid)"
