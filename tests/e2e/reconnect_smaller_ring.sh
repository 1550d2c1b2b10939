# SPDX-License-Identifier: MIT
# A client that outlives its Dom0 takes a smaller ring from the next one: what was asked and finds no
# slot waits for one, and each read is answered once, and rightly.
. "$(dirname "$0")/functions.sh"

image disk1.img 10
slow=(--engine model --model "mean=5ms,law=fixed,channels=4,data=image")
reconnected() { grep -q '"reconnects": 2' out2; }

# 800 reads per second: 15 s for all, so that none of the clients is done before the last restart.
start_service "${slow[@]}"
"$BIN/client" 64 6000 --reconnect >out1 2>err1 &
threads=$!
"$BIN/client" 1 6000 --depth 512 --reconnect --json >out2 2>err2 &
async=$!
for order in 0 1; do
    eventually 10 connected 2 || die "no connection: $(cat err1 err2)"
    eventually 10 requests_exceed 300 || die "they do not read: $(cat err1 err2)"
    dom0=$(dom0_pid)
    kill -9 "$dom0"
    eventually 5 gone "$dom0" || die "Dom0 survives kill -9"
    # The second time under full load of 512 on a ring of 32.
    if [ $order = 0 ]; then start_service "${slow[@]}" --max-ring-page-order 0; else start_service --max-ring-page-order 1; fi
done
for pid in $threads $async; do
    reap 30000 $pid
    [ $status = 0 ] || die "client $pid: exit $status: $(cat err1 err2)"
done
reconnected || die "not 2 reconnects: $(grep reconnects out2)"
verify_all 12000
