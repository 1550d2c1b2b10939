# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Cold asynchronous reads: one thread with several reads in flight, through the service and through
# fio's io_uring engine on the image itself, and through a bare relay.
begin_section async 'Cold asynchronous reads against io_uring without a service'

async_depths='8 32'
[ -n "$QUICK" ] || async_depths='8 32 128'

async_round() {
    local d
    # What a disk gives that gets its reads, and is rid of them, only all at once.
    fio_uring 'io_uring D=8 all at once' 8 --iodepth_batch_submit=8 --iodepth_batch_complete_min=8 --iodepth_batch_complete_max=8
    for d in $async_depths; do
        fio_uring "io_uring D=$d" "$d"
        [ "$d" -gt 64 ] || relay_run "relay D=$d" --depth "$d"
        client_run "splitdom D=$d" async "$BIN/client" 1 $MANY --depth "$d" --duration "$CELL_S"
    done
}

service_start async
rounds "$ROUNDS" async_round
service_stop async
goal_ratio 'cold, depth 32: rate over io_uring' rps 'splitdom D=32' 'io_uring D=32' '>=' 0.90 0.98
goal_ratio 'cold, depth 8: rate over io_uring' rps 'splitdom D=8' 'io_uring D=8' '>=' 0.90 0.95
ratios rps 'io_uring D=8 all at once' 'io_uring D=8' | spread >"$TMP/at_once"
note "depth 8 all at once over one by one, both without a service: $(awk '{ printf "%.2f (%.2f..%.2f)", $1, $2, $3 } END { if (!NR) printf "not measured" }' "$TMP/at_once")"
for row in D=32 D=8; do
    goal_ratio "cold, $row: rate over a bare relay" rps "splitdom $row" "relay $row" '>=' 0.90 1
    goal_ratio "cold, $row: CPU over a bare relay" cpu_us "splitdom $row" "relay $row" '<=' 1.5 1.2
done
finish_section rps mean_ns p50_ns p99_ns cpu_us
