# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Cold reads with more and more clients, threads, and pages of the ring.
begin_section scale 'Scale: clients, threads, pages of the ring'

scale_round() {
    local n order ones
    for n in 1 4 16 64 256; do
        mapfile -t ones < <(yes 1 | head -n $n)
        together "clients=$n" scale "$CELL_S" "${ones[@]}"
    done
    for n in 1 2 8 64 512; do
        client_run "threads=$n" scale "$BIN/client" $n $MANY --duration "$CELL_S"
    done
    for order in 0 1 2 3 4; do
        SERVICE_PID=${scale_pid[order]} client_run "ring pages=$((1 << order))" "order$order" \
            "$BIN/client" 256 $MANY --duration "$CELL_S"
    done
}

declare -a scale_pid
for order in 0 1 2 3 4; do
    service_start order$order --max-ring-page-order $order
    scale_pid[order]=$SERVICE_PID
done
service_start scale
scale_rounds=3
[ -z "$QUICK" ] || scale_rounds=1
rounds $scale_rounds scale_round
for name in scale order0 order1 order2 order3 order4; do service_stop $name; done
goal_ratio '256 clients: sum over that of 16' rps 'clients=256' 'clients=16' '>=' 0.9 -
goal_ratio '512 threads: rate over that of 64' rps 'threads=512' 'threads=64' '>=' 0.9 -
finish_section rps jain mean_ns p99_ns
