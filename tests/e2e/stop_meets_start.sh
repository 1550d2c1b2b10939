# SPDX-License-Identifier: MIT
# A stop, or another verb, meets a Dom0 that does not serve yet, or a stop one that is ending already: they wait, and
# nothing has failed.
. "$(dirname "$0")/functions.sh"
requires flock

image disk1.img 1
image busy.img 1

# hold_image: somebody writes to the image until there is the file let-go. A child of this shell holds the lock, and not
# one of flock's, which would stay if the test failed.
hold_image() {
    (
        flock 9
        touch held
        until [ -e let-go ]; do sleep 0.05; done
    ) 9<>busy.img &
    eventually 5 test -e held || die "the image is not held"
}

# A start waits for who writes to its image; a stop meanwhile waits for the start.
hold_image
"$BIN/service" start --disk busy.img,raw,xvda,w 2>start.err &
start=$!
cleanup_fn stop_leftover
eventually 5 test -s "$SPLITDOM_RUNDIR/default/dom0.log" -o -e "$SPLITDOM_RUNDIR/default/lock" || die "no start: $(cat start.err)"
"$BIN/service" stop >stop.out 2>stop.err &
stop=$!
found() { gone "$stop" || find "/proc/$stop/fd" -lname '*pidfd*' 2>/dev/null | grep -q .; }
eventually 5 found || die "the stop does not find the start"
touch let-go
reap 10000 "$start" || die "the start does not end"
[ "$status" = 0 ] || die "the start was cut short: exit $status, $(cat start.err)"
reap 10000 "$stop" || die "the stop does not end"
[ "$status" = 0 ] || die "the stop failed: exit $status, $(cat stop.err)"
grep -q 'cache hit ratio' stop.out || die "no totals: $(cat stop.out stop.err)"
expect 3 'no service' service status

# So do the other verbs.
rm held let-go
hold_image
"$BIN/service" start --disk busy.img,raw,xvda,w 2>start.err &
start=$!
cleanup_fn stop_leftover
eventually 5 test -e "$SPLITDOM_RUNDIR/default/lock" || die "no start: $(cat start.err)"
verbs=(status list uptime 'domname 0' 'top -b -i 1')
for i in "${!verbs[@]}"; do
    # shellcheck disable=SC2086 # verbs with arguments
    "$BIN/service" ${verbs[$i]} >"out.$i" 2>"err.$i" &
    pids[i]=$!
done
touch let-go
for i in "${!verbs[@]}"; do
    reap 10000 "${pids[$i]}"
    [ "$status" = 0 ] || die "${verbs[$i]}: exit $status, $(cat "err.$i")"
done
wait "$start" || die "$(cat start.err)"
expect 0 'cache hit ratio' service stop
rm out.* err.*

# Of many stops one gets the totals, and none finds fault.
for _ in 1 2 3; do
    start_service --image disk1.img
    for i in 1 2 3 4 5 6 7 8; do
        (
            status=0
            "$BIN/service" stop >"out.$i" 2>"err.$i" || status=$?
            [ "$status" = 0 ] || [ "$status" = 3 ] || echo "exit $status: $(cat "err.$i")" >>failed
        ) &
    done
    wait
    [ ! -e failed ] || die "$(cat failed)"
    grep -q 'cache hit ratio' out.* || die "nobody got the totals"
    expect 3 'no service' service status
done
