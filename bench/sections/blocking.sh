# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Cold blocking reads: the service and a client of T threads against T threads that read the image
# themselves, and against a bare relay, which shows what the second process alone costs.
begin_section blocking 'Cold blocking reads against O_DIRECT pread without a service'

blocking_round() {
    local t notifies wakes
    for t in 1 8 64; do
        fio_psync "psync T=$t" "$t"
        relay_run "relay T=$t" --threads "$t"
        notifies=$(service_total blocking notifies) wakes=$(service_total blocking wakes)
        client_run "splitdom T=$t" blocking "$BIN/client" "$t" $MANY --duration "$CELL_S"
        # Events for a vCPU that was awake already.
        notifies=$(($(service_total blocking notifies) - notifies)) wakes=$(($(service_total blocking wakes) - wakes))
        record "splitdom T=$t" needless_per_request "$(calculate "($notifies - $wakes) / $(json_number "$TMP/client.json" answered)")"
    done
}

service_start blocking
rounds "$ROUNDS" blocking_round
service_stop blocking
goal_ratio 'cold, T=64: rate over psync' rps 'splitdom T=64' 'psync T=64' '>=' 0.90 0.97
goal_ratio 'cold, T=8: rate over psync' rps 'splitdom T=8' 'psync T=8' '>=' 0.85 0.95
goal_ratio 'cold, T=1: rate over psync' rps 'splitdom T=1' 'psync T=1' '>=' 0.80 0.90
for row in T=64 T=8 T=1; do
    goal_ratio "cold, $row: rate over a bare relay" rps "splitdom $row" "relay $row" '>=' 0.90 1
    goal_ratio "cold, $row: CPU over a bare relay" cpu_us "splitdom $row" "relay $row" '<=' 1.5 1.2
done
goal_value 'cold, T=64: needless notifications per request' needless_per_request 'splitdom T=64' '<=' 0.05 0.01
finish_section rps mean_ns p50_ns p99_ns cpu_us kicks_per_request needless_per_request
