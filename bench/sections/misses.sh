# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the cache that domains share costs those who find nothing there: reads all over the image, with and without.
# Without twice: what differs between those two is noise.
begin_section misses 'Reads from the disk, with the shared cache over without'

misses_take() { # ROW SERVICE LOAD
    local words=(1 "$MANY")
    case $3 in
    d*) words+=(--depth "${3#d}") ;;
    *) words[0]=$3 ;;
    esac
    SERVICE_PID=${misses_pid[$2]} client_run "$3 $1" "$2" "$BIN/client" "${words[@]}" --duration "$CELL_S"
}

misses_loads=(1 8 64 d32)
misses_round() {
    local load i service row order=('shared with' 'off without' 'off again')
    for load in "${misses_loads[@]}"; do
        for i in 0 1 2; do
            read -r service row <<<"${order[(ROUND + i) % 3]}"
            misses_take "$row" "$service" "$load"
        done
    done
}

declare -A misses_pid
service_start shared
misses_pid[shared]=$SERVICE_PID
service_start off --shared-cache off
misses_pid[off]=$SERVICE_PID
rounds "$ROUNDS" misses_round
service_stop shared
service_stop off
for load in "${misses_loads[@]}"; do
    goal_ratio "$load: rate with over without" rps "$load with" "$load without" '>=' 0.99 1
    goal_ratio "$load: the same of two without" rps "$load again" "$load without" '>=' 0.99 1
    goal_ratio "$load: CPU per read with over without" cpu_us "$load with" "$load without" '<=' 1.01 1
    goal_ratio "$load: the same of two without" cpu_us "$load again" "$load without" '<=' 1.01 1
done
finish_section rps p50_ns p99_ns cpu_us
