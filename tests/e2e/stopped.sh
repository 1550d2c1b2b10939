# SPDX-License-Identifier: MIT
# A client that is stopped (SIGSTOP) in the middle of its reads holds nobody up; Dom0 stopped makes all
# wait. Both go on where they were, and nothing is lost.
. "$(dirname "$0")/functions.sh"

image disk1.img 4
start_service --engine model --model mean=100us,channels=8,data=image --cache-percent 0
# Without an end, so that none of them is done before the last round, however late that comes.
"$BIN/client" 4 1000000000 >out1 2>err1 &
first=$!
"$BIN/client" 1 1000000000 --depth 16 >out2 2>err2 &
second=$!
requests_of_others() { # more than COUNT
    [ "$(status_number 'total":{"requests')" -gt "$1" ]
}
eventually 5 connected 2 || die "no connection"
for i in 1 2 3 4 5; do
    for pid in $first $second; do
        kill -STOP $pid
        before=$(status_number 'total":{"requests')
        eventually 5 requests_of_others $((before + 200)) || die "round $i: the other client does not go on"
        kill -CONT $pid
    done
    dom0=$(dom0_pid)
    kill -STOP "$dom0"
    sleep 0.1 # for as long as it takes: all threads are waiting then
    gone $first && die "the client ended while Dom0 was stopped: $(cat err1)"
    kill -CONT "$dom0"
done
# Both still read, and a signal lets reads in flight end first: one that was lost would keep its client.
for pid in $first $second; do
    records=$(wc -l <sectors.$pid)
    eventually 5 eval "[ \$(wc -l <sectors.$pid) -gt $records ]" || die "client $pid does not go on"
done
kill -TERM $first $second
for pid in $first $second; do
    reap 30000 $pid
    [ $status = 143 ] || die "client $pid: exit $status: $(cat err1 err2)"
    verify $pid
done
