# SPDX-License-Identifier: MIT
# With --reconnect a client outlives Dom0: kill -9 and a new start, stop and start. Each read is
# answered once, and rightly.
. "$(dirname "$0")/functions.sh"

# A disk of 400 reads per second: 15 s for the reads of one client, so that none is done before the
# third restart, however late these come. The last Dom0 has the disk as it is.
start_slow() { start_service --engine model --model mean=5ms,law=fixed,channels=2,data=image; }

image disk1.img 10
start_slow
count=6000
"$BIN/client" 16 $count --reconnect >out1 2>err1 &
threads=$!
"$BIN/client" 1 $count --depth 32 --reconnect --json >out2 2>err2 &
async=$!
progress() { connected 2 && requests_exceed 100; }
for i in 1 2 3; do
    eventually 10 progress || die "round $i: they do not read: $(cat err1 err2)"
    case $i in
    1 | 3)
        dom0=$(dom0_pid)
        kill -9 "$dom0"
        eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
        ;;
    2) service stop >/dev/null || die "stop" ;;
    esac
    if [ $i = 3 ]; then start_service; else start_slow; fi
done
for pid in $threads $async; do
    reap 30000 $pid
    [ $status = 0 ] || die "client $pid: exit $status: $(cat err1 err2)"
done
[ "$(wc -l <out1)" = 1 ] || die "no result"
grep -q '"reconnects": 3' out2 || die "not 3 reconnects: $(grep reconnects out2)"
verify_all $((2 * count))

# Ending one that waits for a service.
"$BIN/client" 4 100000000 --reconnect >out1 2>err1 &
threads=$!
eventually 5 connected 1 || die "no connection"
service stop >/dev/null
# The first signal lets reads in flight end, the second one does not wait for them. (Once it has ended
# the shell may have taken its status already, and there is nobody to signal.)
ended() {
    kill -TERM $threads 2>/dev/null
    gone $threads
}
eventually 2 ended || die "two signals do not end it"
reap 2000 $threads
[ $status = 143 ] || die "exit $status: $(cat err1)"
