# SPDX-License-Identifier: MIT
# Every request of the store, byte for byte, over the socket of a running service: store_wire.txt.
. "$(dirname "$0")/functions.sh"
requires python3

image disk1.img 1
start_service --engine model --model 'mean=20ms,law=fixed'
"$BIN/client" 1 100000000 --no-record >out 2>err & # domain 1
busy=$!
eventually 5 connected 1 || die "the client does not connect"
timeout -k 2 $((60 * slack)) python3 "$TOP/tests/e2e/store_wire.py" "$SPLITDOM_RUNDIR/default/xenstore.sock" \
    "$TOP/tests/e2e/store_wire.txt" $((10 * slack)) 2>differs || die "$(cat differs)"
kill -TERM $busy
reap 2000 $busy
